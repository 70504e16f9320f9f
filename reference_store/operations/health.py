"""How a bot's data directory is: what the guideline's health check asks, as facts, problems, and OpenMetrics text.

Every file is read (``inspection``), nothing is changed. What is a problem is said by ``Thresholds``, and by damage.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from reference_store.core.directory import NotARegularFile
from reference_store.core.document_files import BACKUP, SUFFIX
from reference_store.core.document_reading import regular
from reference_store.core.signals import let_out
from reference_store.errors import CorruptData, InvalidRecord
from reference_store.operations.inspection import Finding, State, inspect, opened, unsealed

PORTFOLIO, SNAPSHOTS = "portfolio", "portfolio_snapshots"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is a problem; None asks nothing.

    ``portfolio_age`` and ``snapshot_age`` in seconds since the last change and the last snapshot, ``size_change`` as a
    factor between the sizes of the portfolio and its backup, ``disk_usage`` and ``evidence`` in bytes and files.
    """

    portfolio_age: float | None = None
    snapshot_age: float | None = None
    size_change: float | None = 4.0
    disk_usage: float | None = None
    evidence: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Facts about a directory at a moment; what could not be found out, or is not there, is None.

    ``problems`` are sentences; where there are none all is well.
    """

    portfolio_file_exists: bool
    portfolio_file_size: int | None
    portfolio_last_modified: str | None
    portfolio_age_seconds: float | None
    backup_status: str
    performance_snapshots_count: int | None
    newest_snapshot_age_seconds: float | None
    oldest_snapshot_age_days: float | None
    disk_usage_bytes: int
    files_sound: int
    files_damaged: int
    files_evidence: int
    problems: tuple[str, ...]

    def open_metrics(self) -> str:
        """Return the numbers as OpenMetrics text, one gauge each."""
        lines = []
        for name, value in asdict(self).items():
            if isinstance(value, bool | int | float):
                metric = f"tradestore_{name}"
                lines += [f"# TYPE {metric} gauge", f"{metric} {float(value)!r}"]
        lines += ["# TYPE tradestore_problems gauge", f"tradestore_problems {float(len(self.problems))!r}"]
        return "\n".join([*lines, "# EOF", ""])


def health(
    root: str,
    now: datetime | None = None,
    thresholds: Thresholds | None = None,
    each: Callable[[Finding], None] = lambda _found: None,
) -> Health:
    """Look at all files below ``root``; ``each`` is called for every one, to show how far it is.

    Raises StorageFailure if there is no such directory, and InvalidRecord for a time without a zone.
    """
    limits, now = thresholds or Thresholds(), now or datetime.now(UTC)
    if now.utcoffset() is None:
        raise InvalidRecord("now", "has no time zone")
    problems: list[str] = []
    counts: Counter[State] = Counter()
    for found in inspect(root):
        each(found)
        counts[found.state] += 1
        if found.state in (State.DAMAGED, State.UNREADABLE):
            problems.append(f"{found.file} is {found.state}: {found.reason}")
    size, changed = _about(root, PORTFOLIO + SUFFIX)
    backup_size, _ = _about(root, PORTFOLIO + BACKUP)
    age = None if changed is None else now.timestamp() - changed
    times = _snapshot_times(root)
    newest = (now - max(times)).total_seconds() if times else None
    disk = sum(_sizes(root))
    if size is None:
        problems.append("portfolio.json is not there")
    elif backup_size and not _is_alike(size, backup_size, limits.size_change):
        problems.append(f"portfolio.json has {size} bytes, its backup {backup_size}")
    for what, value, limit in (
        ("seconds since the portfolio was changed", age, limits.portfolio_age),
        ("seconds since the last snapshot", newest, limits.snapshot_age),
        ("bytes on the disk", disk, limits.disk_usage),
        ("files of evidence", counts[State.EVIDENCE], limits.evidence),
    ):
        if limit is not None and (value is None or value > limit):
            problems.append(f"{'unknown' if value is None else f'{value:.0f}'} {what}, {limit:g} is the limit")
    return Health(
        portfolio_file_exists=size is not None,
        portfolio_file_size=size,
        portfolio_last_modified=None if changed is None else datetime.fromtimestamp(changed, UTC).isoformat(),
        portfolio_age_seconds=age,
        backup_status=_backup_status(root),
        performance_snapshots_count=None if times is None else len(times),
        newest_snapshot_age_seconds=newest,
        oldest_snapshot_age_days=(now - min(times)).total_seconds() / 86400 if times else None,
        disk_usage_bytes=disk,
        files_sound=counts[State.SOUND],
        files_damaged=counts[State.DAMAGED] + counts[State.UNREADABLE],
        files_evidence=counts[State.EVIDENCE],
        problems=tuple(problems),
    )


def _is_alike(size: int, before: int, factor: float | None) -> bool:
    return factor is None or (size and max(size, before) / min(size, before) <= factor) is True


def _about(root: str, name: str) -> tuple[int | None, float | None]:
    directory = opened(root)  # held: its descriptor goes with it
    try:
        found = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
    except OSError as error:
        let_out(error)
        return None, None
    return (found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else (None, None)


def _backup_status(root: str) -> str:
    try:
        found = regular(opened(root), PORTFOLIO, PORTFOLIO + BACKUP)
        if found is None:
            return "missing"
        unsealed(found.data, PORTFOLIO, PORTFOLIO + BACKUP)
    except (CorruptData, NotARegularFile, OSError) as error:
        let_out(error)
        return "damaged"
    return "sound"


def _snapshot_times(root: str) -> list[datetime] | None:
    """The times of the snapshots of performance tracking; None if there is no sound file of them."""
    name = SNAPSHOTS + SUFFIX
    try:
        found = regular(opened(os.path.join(root, "performance")), SNAPSHOTS, name)
        if found is None:
            return None
        listed = unsealed(found.data, SNAPSHOTS, name)[1].content["snapshots"]
        times = [datetime.fromisoformat(each["timestamp"]) for each in listed]
    except (CorruptData, OSError, KeyError, TypeError, ValueError) as error:
        let_out(error)
        return None
    return times if all(each.utcoffset() is not None for each in times) else None


def _sizes(root: str) -> Iterator[int]:
    """What the files take on the disk, in bytes; a second name of a file takes nothing."""
    seen: set[tuple[int, int]] = set()
    for path, _directories, names in os.walk(root):
        for name in names:
            try:
                found = os.lstat(os.path.join(path, name))
            except OSError as error:
                let_out(error)
                continue  # gone meanwhile
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                yield found.st_blocks * 512
