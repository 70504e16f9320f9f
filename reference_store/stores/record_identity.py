"""Under which identifier a file of records is sealed: as one that is complete, or as one with a log of changes."""

RECORDS = ("jobs", "runs")
"""The names of such files."""


def identity_of(name: str, *, opened: bool) -> str:
    """What the seal of a file of records is about; with ``opened`` of one that is not complete without its log."""
    return f"{name} with changes" if opened else name
