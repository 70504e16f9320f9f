"""Which damages are tried, given what a store wrote: each file in every way that makes sense for it."""

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from pytest_tradestore.crash.images import DurableImage, matches
from pytest_tradestore.crash.operations import Kind as FileKind
from pytest_tradestore.crash.workloads import Workload
from pytest_tradestore.damage.formats import format_damages, mentions
from pytest_tradestore.damage.judging import Case, is_asked
from pytest_tradestore.damage.on_servers import of_whole_rows
from pytest_tradestore.damage.operators import Damage, Kind, drawn_damages, plain_damages
from pytest_tradestore.damage.trials import DamageClient, Unusable, listening
from pytest_tradestore.observation import Absent, Failed, Names, Observation, Records
from pytest_tradestore.settings import Budget, Settings

IMAGES = {Budget.QUICK: 150, Budget.NORMAL: 250, Budget.DEEP: 20_000}
"""Damaged images that are read for one contract of one store."""
_DEARER = 4
"""How many files can be read in the time of one object or row: the n-th part of the images is read there."""
ALIKE = 2
"""How many files that begin alike and are called alike are damaged within their format."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before any damage, and the damages to try: each with the place to update, thorough or not."""

    image: DurableImage
    cases: Mapping[str, Case]
    tries: tuple[tuple[Damage, str, bool], ...]


def planned(client: DamageClient, settings: Settings) -> Plan:
    """Run the workload, look at the files that it leaves, and say what is to be done to them."""
    declared = client.store.declarations
    grown = _grown(client)
    with client.root(grown.image) as root, listening() as heard:
        intact, opening = client.look(root)
        alarmed = client.reports or (declared.damage_reported == "log" and heard())
    if opening is not None or any(isinstance(seen, Failed) for _, seen in intact.places):
        raise Unusable("after reopening the store cannot be read although nothing is damaged")
    if alarmed:
        raise Unusable(
            "it reports damage (tradestore_damage_reported) also where nothing is damaged, so that it cannot be told"
        )
    files = {
        f.path: f.content
        for f in grown.image.files
        if f.kind is FileKind.FILE and f.content and not matches(f.path, declared.volatile)
    }
    cases = {path: _case(client.workload, declared.claims, intact, grown, path, files[path]) for path in files}
    tries = []
    alike: Counter[tuple[bytes, str]] = Counter()
    for path, content in files.items():
        others = {p: c for p, c in files.items() if _is_alike(p, path) and cases[p].owners != cases[path].owners}
        place = next(iter(grown.changed.get(path, {})), client.workload.updates[-1].key)
        tries += [(damage, place, True) for damage in plain_damages(path, content, others)]
        alike[content[:4], _suffix(path)] += 1
        if alike[content[:4], _suffix(path)] <= ALIKE or settings.budget is Budget.DEEP:
            tries += [(damage, "", False) for damage in format_damages(path, content)]
        if declared.backend is not None:
            tries += [(damage, "", False) for damage in of_whole_rows(path, files, others)]
        tries += [(damage, "", False) for damage in _out_of_date(path, content, grown, files)]
        tries += [(damage, "", False) for damage in _with_its_backup(path, grown, files, others)]
    draw = random.Random(settings.seed)  # noqa: S311 - chance, not secrecy
    streams = {path: drawn_damages(path, content, draw) for path, content in files.items()}
    tries = [row for row in tries if is_asked(row[0], declared.claims)]
    images = IMAGES[settings.budget] // (1 if declared.backend is None else _DEARER)
    most = max(images, len(tries) + images // 3)
    for path in cycle(streams):
        if len(tries) >= most:
            break
        tries.append((next(streams[path]), "", False))
    return Plan(grown.image, cases, tuple(row for row in tries if is_asked(row[0], declared.claims)))


def _out_of_date(path: str, content: bytes, grown: "_Grown", files: Mapping[str, bytes]) -> Iterator[Damage]:
    """Yield a file that is gone; and one that is older than another file says, where one has its digest."""
    mentioned = next((p for p, other in files.items() if p != path and mentions(other, content)), "")
    yield Damage(path, Kind.GONE, "gone", b"", mentioned=mentioned)
    older = grown.older.get(path)
    if mentioned and older and older != content:
        yield Damage(path, Kind.OLDER, "replaced by an older version of itself", older, mentioned=mentioned)


def _with_its_backup(
    path: str, grown: "_Grown", files: Mapping[str, bytes], others: Mapping[str, bytes]
) -> Iterator[Damage]:
    """Yield a file that is emptied while what it held before, kept in another one, is no longer that either."""
    older = grown.older.get(path)
    for backup, content in files.items():
        if backup == path or not older or content != older:
            continue
        half = len(content) // 2
        how = f"emptied, and {backup} is cut off after {half:,} bytes"
        yield Damage(path, Kind.EMPTIED, how, b"", also=(backup, content[:half]))
        for name, other in others.items():
            how = f"emptied, and {backup} is replaced by {name}"
            yield Damage(path, Kind.FOREIGN, how, b"", also=(backup, other))


@dataclass(frozen=True, slots=True)
class _Grown:
    """The files that the workload leaves, and what led to them.

    ``changed``: which update places changed each file, and how often; ``replaced``: how often each was written since it
    was last missing, of a log's only how often anew: where the file itself was added to there is no version before;
    ``older``: what it held before that; ``appended``: how long that was, where the last update only
    added to it (0: it made the file); ``history``: all that was ever seen.
    """

    image: DurableImage
    changed: Mapping[str, Mapping[str, int]]
    replaced: Mapping[str, int]
    older: Mapping[str, bytes]
    appended: Mapping[str, int]
    history: tuple[Observation, ...]


def _grown(client: DamageClient) -> _Grown:
    image = DurableImage(())
    changed: dict[str, dict[str, int]] = {}
    replaced: dict[str, int] = {}
    older: dict[str, bytes] = {}
    appended: dict[str, int] = {}
    log = client.workload.kit.log
    with client.root(image) as root:
        seen = [client.look(root)[0]]
    for update in client.workload.updates:
        with client.root(image) as root:
            inodes = {f.path: _inode(root, f.path) for f in image.files}
            try:
                opened = client.open(root)
                client.step()
                update.make(opened)
                observed = client.observe(opened)
                opened.close()
            except Exception as error:
                raise Unusable(f"{update.rendered} raised {type(error).__name__}: {error}") from error
            grown = client.image_of(root)
            same = {path for path, inode in inodes.items() if _inode(root, path) == inode}
        before = {f.path: f.content for f in image.files if f.kind is FileKind.FILE}
        for file in grown.files:
            if file.kind is FileKind.FILE and (old := before.get(file.path)) != file.content:
                places = changed.setdefault(file.path, {})
                places[update.key] = places.get(update.key, 0) + 1
                added = log and old is not None and file.path in same and file.content.startswith(old)
                replaced[file.path] = replaced.get(file.path, 0) + (not added)
                older[file.path] = old or b""
                appended.pop(file.path, None)
                if old is None or file.content.startswith(old):
                    appended[file.path] = len(old or b"")
        there = set(grown.paths())
        replaced = {path: count for path, count in replaced.items() if path in there}
        seen.append(observed)
        image = grown
    return _Grown(image, changed, replaced, older, appended, tuple(seen))


def _case(
    workload: Workload, claims: frozenset[str], intact: Observation, grown: _Grown, path: str, content: bytes
) -> Case:
    kit = workload.kit
    keys = {kit.key_of(place) for place in grown.changed.get(path, {})}
    owners = frozenset(
        place for place, seen in intact.places if not isinstance(seen, Names) and kit.key_of(place) in keys
    )
    several = len({kit.key_of(update.key) for update in workload.updates}) > 1
    listings = frozenset(place for place, seen in intact.places if isinstance(seen, Names))
    apart = len(keys) == 1 and several and kit.keyed
    return Case(
        kit,
        claims,
        intact,
        grown.history,
        owners if apart else owners | listings,
        has_backup=grown.replaced.get(path, 0) > 1 and _once_told(owners, intact),
        content=content,
        appended=grown.appended.get(path),
    )


def _inode(root: Path, path: str) -> int | None:
    try:
        return os.lstat(root / path).st_ino
    except OSError:
        return None


def _once_told(places: frozenset[str], intact: Observation) -> bool:
    return any(not isinstance(intact.at(place), Absent) and intact.at(place) != Records(()) for place in places)


def _is_alike(one: str, other: str) -> bool:
    (one_in, _, one_is), (other_in, _, other_is) = one.rpartition("/"), other.rpartition("/")
    return one != other and (one_is == other_is or (one_in == other_in and _suffix(one) == _suffix(other)))


def _suffix(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[2]
