"""How a check is named in JUnit files: its store stands where other tests have their class; viewers group by it.

A failure has the file and the line of the project that are at fault, and not those of a test, which there are not.
"""

import pytest
from _pytest.junitxml import xml_key

from pytest_tradestore.ids import PLACE, PREFIX


def name_in_junit(config: pytest.Config, report: pytest.TestReport) -> None:
    """Name the check of ``report`` in the JUnit file of this run, if there is one.

    pytest takes the class from what stands before ``::``; the ids of stores that no module declares have none.
    """
    junit = config.stash.get(xml_key, None)
    if junit is None or not report.nodeid.startswith(PREFIX) or "::" in report.nodeid:
        return
    if report.when != "call" and report.passed:
        return  # pytest begins an entry only for what it will write
    store, _, check = report.nodeid.removeprefix(PREFIX).partition("/")
    entry = junit.node_reporter(report)
    entry.add_attribute("classname", ".".join(filter(None, (junit.prefix, PREFIX.rstrip("/"), store))))
    entry.add_attribute("name", check)
    for place in (str(value) for name, value in report.user_properties if name == PLACE):
        file, _, line = place.rpartition(":")
        entry.add_attribute("file", file)  # pytest leaves both out of xunit2, which has no room for them
        entry.add_attribute("line", line)
