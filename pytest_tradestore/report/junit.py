"""How a check is named in JUnit files: its store stands where other tests have their class; viewers group by it."""

import pytest
from _pytest.junitxml import xml_key

from pytest_tradestore.ids import PREFIX


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
