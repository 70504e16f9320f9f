"""What a store does wrong with times is one cause, whichever of the questions of DATA-TIME have shown it."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pytest_tradestore.verdict import Verdict

ROWS = ("fold", "gap", "zones", "instant", "boundaries")


class Sound:
    """Events as dictionaries in one file; ranges are told by instants."""

    make_event = dict

    def __init__(self, root):
        self.path = root / "events.json"

    def _kept(self, when):
        return when.isoformat()

    def _instant(self, text):
        when = datetime.fromisoformat(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)

    def _inside(self, text, start, end):
        return self._instant(self._kept(start)) <= self._instant(text) <= self._instant(self._kept(end))

    def _rows(self):
        return json.loads(self.path.read_text()) if self.path.exists() else []

    def write_event(self, event):
        self.path.write_text(json.dumps([*self._rows(), {**event, "timestamp": self._kept(event["timestamp"])}]))

    def read_events(self, start, end, types=None):
        return [row for row in self._rows() if self._inside(row["timestamp"], start, end)]


class ByText(Sound):
    def _inside(self, text, start, end):
        return start.isoformat() <= text <= end.isoformat()


class WithoutZone(Sound):
    def _kept(self, when):
        return when.replace(tzinfo=None).isoformat()


class ByTheOffsetOfWinter(Sound):
    def _kept(self, when):
        winter = datetime(2026, 1, 15, tzinfo=when.tzinfo).utcoffset() or timedelta(0)
        return when.replace(tzinfo=timezone(winter)).isoformat() if when.tzinfo else when.isoformat()


class AsNumbers(Sound):
    def read_events(self, start, end, types=None):
        return [
            {**row, "timestamp": self._instant(row["timestamp"]).timestamp()} for row in super().read_events(start, end)
        ]


class InWords(Sound):
    def read_events(self, start, end, types=None):
        return [
            {**row, "timestamp": f"{self._instant(row['timestamp']):%A %H:%M}"}
            for row in super().read_events(start, end)
        ]


class Companies(Sound):
    """Company data; the latest as of a time is told by instants."""

    make_fundamental = dict
    write_event = read_events = None

    def write_fundamental(self, symbol, data):
        Sound.write_event(self, data)

    def read_fundamental(self, symbol, as_of=None):
        found = [row for row in self._rows() if as_of is None or self._instant(row["timestamp"]) <= as_of]
        return self._given(max(found, key=lambda row: self._instant(row["timestamp"]))) if found else None

    def _given(self, row):
        return row


class CompaniesAsNumbers(Companies):
    def _given(self, row):
        return {**row, "timestamp": self._instant(row["timestamp"]).timestamp()}


class CompaniesWithoutTimes(Companies):
    def _given(self, row):
        return {**row, "timestamp": None}


class InUtc(Sound):
    def _kept(self, when):
        return (when.astimezone(UTC) if when.tzinfo else when).isoformat()


def causes(judged, store):
    contract = "fundamentals" if issubclass(store, Companies) else "events"
    results = [judged(store, "DATA-TIME", f"{contract}-{row}") for row in ROWS]
    return {str(r.counterexample.cause.culprit.fault) for r in results if r.verdict is Verdict.VIOLATED}


BROKEN = {
    "compared as text": (ByText, "ranges are not compared by instants"),
    "without a zone": (WithoutZone, "a time that was written with a zone comes back without one"),
    "as numbers": (AsNumbers, "a time comes back as what is no datetime"),
    "in words": (InWords, "a time comes back as what is no datetime"),
    "the latest as a number": (CompaniesAsNumbers, "a time comes back as what is no datetime"),
    "the latest without a time": (CompaniesWithoutTimes, "a time comes back as what is no datetime"),
    "an hour off in summer": (ByTheOffsetOfWinter, "a time comes back as another instant"),
}


@pytest.mark.parametrize(("store", "cause"), BROKEN.values(), ids=list(BROKEN))
def test_one_mistake_about_times_is_one_cause(store, cause, judged):
    assert causes(judged, store) == {cause}


@pytest.mark.parametrize("store", [Sound, InUtc, Companies])
def test_control_times_as_text_and_times_in_utc_are_right(store, judged):
    assert causes(judged, store) == set()
