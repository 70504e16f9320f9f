"""By what the suite's items, and the results that they carry, are known to pytest.

It stands alone because ``plugin.py``, which every pytest run imports, needs it as well as all that is loaded with the
flag.
"""

PROPERTY = "tradestore"
"""The user property under which a test report carries a result, as JSON."""
PREFIX = "tradestore/"
"""What the ids of the suite's items begin with."""
PLACE = "tradestore_place"
"""The property that holds the file and the line of the project at which a failure lies."""
