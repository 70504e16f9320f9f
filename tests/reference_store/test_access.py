"""Who may read and write what a store keeps: owner, group, setgid bits and access lists stay as somebody set them."""

import asyncio
import errno
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reference_store import DocumentStore, FileDataStore, JobStore, JournalStore, RunStore, SingleDocumentStore
from reference_store.core.atomic import Directory
from reference_store.models import Event, FundamentalData, Job
from tests.reference_store.faults import fail_call
from tests.reference_store.trading import JANUARY, bar

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
BOB, ORDINARY, ANALYSTS = 54321, 54322, 54323
NOBODY = 0xFFFFFFFF
LIMIT = 1 << 20

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to change owners, which only root may")


def acl(*entries: tuple[int, int] | tuple[int, int, int]) -> bytes:
    """An access list as the kernel takes it, of (tag, permissions) or (tag, permissions, id)."""
    rows = sorted((tag, bits, *(rest or (NOBODY,))) for tag, bits, *rest in entries)
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, bits, who) for tag, bits, who in sorted(rows, key=lambda row: (row[0], row[2]))
    )


BOB_READS = acl((USER_OBJ, 6), (USER, 4, BOB), (GROUP_OBJ, 0), (MASK, 4), (OTHER, 0))


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A directory on a file system with access lists."""
    try:
        os.setxattr(tmp_path, DEFAULT, BOB_READS)
    except (OSError, AttributeError):
        pytest.skip("this file system has no POSIX access lists")
    os.removexattr(tmp_path, DEFAULT)
    return tmp_path


def as_ordinary_user(place: Path, action: Callable[[], None], groups: tuple[int, ...] = ()) -> None:
    """Run ``action`` in ``place``, as a user who is in ``groups`` besides a group of its own and may not do much."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(place)  # the way here is closed to others
            os.setgroups(groups)
            os.setgid(ORDINARY)
            os.setuid(ORDINARY)
            action()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def list_of(path: Path) -> bytes | None:
    try:
        return os.getxattr(path, ACCESS)
    except OSError:
        return None


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def save_job(root: Path, number: int) -> None:
    async def save() -> None:
        store = JobStore(root)
        await store.save(Job(job_id=f"job-{number}", job_type="backtest"))
        await store.aclose()

    asyncio.run(save())


def save_states_and_company(root: Path, number: int) -> None:
    store = FileDataStore(root)
    store.save_strategy_state("momentum", {"n": number})
    store.write_fundamental("AAPL", FundamentalData(symbol="AAPL", timestamp=JANUARY, employees=number))
    store.write_event(Event(type="fill", timestamp=JANUARY))


SAVES: dict[str, Callable[[Path, int], Any]] = {
    "documents": lambda root, number: DocumentStore(root).put("K", {"n": number}),
    "one document": lambda root, number: SingleDocumentStore(root, "portfolio").save({"n": number}),
    "journal": lambda root, number: JournalStore(root).append("S", {"n": number}),
    "bars": lambda root, number: FileDataStore(root).write_bars("AAPL", [bar(JANUARY, close=1.0 + number / 8)]),
    "states": save_states_and_company,
    "jobs": save_job,
    "runs": lambda root, number: RunStore(root).create_or_update_run(f"run-{number}", "backtest"),
}


@as_root
@pytest.mark.parametrize("save", SAVES.values(), ids=list(SAVES))
def test_files_given_to_somebody_stay_theirs_through_the_next_saves(tmp_path: Path, save: Any) -> None:
    save(tmp_path, 0)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, ORDINARY, ANALYSTS)

    save(tmp_path, 1)
    save(tmp_path, 2)

    theirs = {(path.stat().st_uid, path.stat().st_gid) for path in files(tmp_path)}
    assert theirs == {(ORDINARY, ANALYSTS)}


@as_root
def test_control_a_file_that_is_new_in_a_directory_without_setgid_is_its_makers(tmp_path: Path) -> None:
    os.chown(tmp_path, ORDINARY, ANALYSTS)

    DocumentStore(tmp_path).put("K", {})

    assert (tmp_path / "K.json").stat().st_gid == os.getegid()


@as_root
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_what_takes_the_place_of_a_damaged_file_and_the_evidence_are_for_the_same_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    store = DocumentStore(tmp_path)
    store.put("K", {"n": 1})
    (tmp_path / "K.json").write_text("{")
    os.chown(tmp_path / "K.json", -1, ANALYSTS)
    (tmp_path / "K.json").chmod(0o600)
    if not links:
        fail_call(monkeypatch, "link", errno.EPERM)

    store.put("K", {"n": 2})

    found = [path for path in files(tmp_path) if path.name != ".lock"]
    assert len(found) == 2
    assert {(path.stat().st_gid, mode(path)) for path in found} == {(ANALYSTS, 0o600)}


@as_root
def test_what_is_cut_off_a_log_is_for_those_who_may_read_the_log(tmp_path: Path) -> None:
    JournalStore(tmp_path).append("S", {"n": 1})
    with (tmp_path / "S.jsonl").open("a") as file:
        file.write('{"n": 2')
    os.chown(tmp_path / "S.jsonl", -1, ANALYSTS)

    JournalStore(tmp_path).append("S", {"n": 2})

    assert [path.stat().st_gid for path in files(tmp_path) if path.name.startswith(".damaged-")] == [ANALYSTS]


@as_root
def test_a_month_file_of_another_program_hands_its_group_on_when_bars_take_its_place(tmp_path: Path) -> None:
    store = FileDataStore(tmp_path)
    store.write_bars("AAPL", [bar(JANUARY.replace(month=3))])
    month = tmp_path / "prices" / "AAPL" / "2026-01.parquet"
    month.write_bytes(b"strange")
    os.chown(month, -1, ANALYSTS)

    store.write_bars("AAPL", [bar(JANUARY)])

    assert month.stat().st_gid == ANALYSTS
    assert month.read_bytes() != b"strange"


@as_root
def test_an_ordinary_user_keeps_the_group_that_it_is_in(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    def save() -> None:
        store = DocumentStore(".")
        store.put("K", {"n": 1})
        os.chown("K.json", -1, ANALYSTS)
        store.put("K", {"n": 2})

    as_ordinary_user(tmp_path, save, (ANALYSTS,))

    assert [path.stat().st_gid for path in files(tmp_path) if path.name == "K.json"] == [ANALYSTS]
    assert mode(tmp_path / "K.json") == 0o640


@as_root
@pytest.mark.parametrize(("before", "after"), [(0o640, 0o600), (0o660, 0o600), (0o644, 0o640), (0o600, 0o600)], ids=oct)
def test_an_ordinary_user_who_may_not_keep_owner_and_group_saves_and_opens_the_file_to_no_group_that_could_not_read_it(
    tmp_path: Path, before: int, after: int
) -> None:
    tmp_path.chmod(0o777)

    def save() -> None:
        DocumentStore(".").put("K", {"n": 1})

    as_ordinary_user(tmp_path, save)
    file = tmp_path / "K.json"
    os.chown(file, ORDINARY, ANALYSTS)  # the user may read it, but is not in the group
    file.chmod(before)

    as_ordinary_user(tmp_path, save)

    assert (mode(file), file.stat().st_gid) == (after, ORDINARY)
    assert DocumentStore(tmp_path).get("K") == {"n": 1}


def group_of_others() -> int:
    """A group that this process may give files to, besides its own."""
    if os.geteuid() == 0:
        return ANALYSTS
    others = [group for group in os.getgroups() if group != os.getegid()]
    return others[0] if others else pytest.skip("this process is in one group only")


@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_below_a_setgid_directory_all_that_is_new_is_in_its_group(tmp_path: Path, mask: int) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    group = group_of_others()
    os.chown(root, -1, group)
    root.chmod(0o2770)
    before = os.umask(mask)
    try:
        for number, save in enumerate(SAVES.values()):
            save(root / str(number), 1)
            save(root / str(number), 2)
    finally:
        os.umask(before)

    assert {path.stat().st_gid for path in root.rglob("*")} == {group}
    assert {mode(path) for path in root.rglob("*") if path.is_dir()} == {0o2750}
    assert {mode(path) for path in files(root) if path.name != ".lock"} == {0o640}


@as_root
def test_a_user_outside_the_group_of_a_setgid_directory_hands_the_setgid_bit_on_too(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, ANALYSTS)
    tmp_path.chmod(0o2777)

    def write() -> None:
        os.umask(0o022)
        os.mkdir("store", 0o750)
        FileDataStore("store").write_bars("AAPL", [bar(JANUARY)])

    as_ordinary_user(tmp_path, write)

    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {(path.stat().st_gid, mode(path)) for path in made} == {(ANALYSTS, 0o2750)}


def test_control_below_an_ordinary_directory_nothing_gets_a_setgid_bit(tmp_path: Path) -> None:
    FileDataStore(tmp_path / "store").write_bars("AAPL", [bar(JANUARY)])

    assert {mode(path) for path in (tmp_path / "store").rglob("*") if path.is_dir()} == {0o750}


@pytest.mark.parametrize("save", SAVES.values(), ids=list(SAVES))
def test_an_access_list_stays_on_files_and_their_backups(lists: Path, save: Any) -> None:
    save(lists, 0)
    for path in files(lists):
        os.setxattr(path, ACCESS, BOB_READS)

    save(lists, 1)
    save(lists, 2)

    assert {list_of(path) for path in files(lists)} == {BOB_READS}


@as_root
def test_somebody_on_the_access_list_can_read_the_next_version(lists: Path) -> None:
    lists.chmod(0o755)
    store = DocumentStore(lists)
    store.put("K", {"n": 1})
    reads = acl((USER_OBJ, 6), (USER, 4, ORDINARY), (GROUP_OBJ, 0), (MASK, 4), (OTHER, 0))
    os.setxattr(lists / "K.json", ACCESS, reads)

    store.put("K", {"n": 2})

    def read() -> None:
        assert DocumentStore(".").get("K") == {"n": 2}

    as_ordinary_user(lists, read)


def test_a_new_file_and_a_new_directory_get_what_the_list_for_new_files_says_and_no_more(lists: Path) -> None:
    names = {
        "wide": acl((USER_OBJ, 7), (USER, 7, BOB), (GROUP_OBJ, 5), (MASK, 7), (OTHER, 5)),
        "masked": acl((USER_OBJ, 7), (USER, 7, BOB), (GROUP_OBJ, 5), (MASK, 0), (OTHER, 0)),
        "plain": acl((USER_OBJ, 7), (GROUP_OBJ, 0), (OTHER, 0)),
    }
    for name, default in names.items():
        (lists / name).mkdir()
        os.setxattr(lists / name, DEFAULT, default)
        before = os.umask(0o022)
        try:
            # What a plain create makes is what the store is held to.
            os.close(os.open(lists / name / "file", os.O_CREAT | os.O_WRONLY, 0o640))
            os.mkdir(lists / name / "directory", 0o750)
            DocumentStore(lists / name / "store").put("K", {})
            DocumentStore(lists / name).put("K", {})
        finally:
            os.umask(before)

        for plain, stored in (("file", "K.json"), ("directory", "store")):
            there, here = lists / name / plain, lists / name / stored
            assert (list_of(here), mode(here)) == (list_of(there), mode(there)), name
        if (inherited := lists / name / "store").is_dir():
            assert os.getxattr(inherited, DEFAULT) == default


def test_a_replaced_file_without_a_list_does_not_get_the_one_for_new_files(lists: Path) -> None:
    store = DocumentStore(lists)
    store.put("K", {"n": 1})
    os.setxattr(lists, DEFAULT, acl((USER_OBJ, 7), (USER, 7, BOB), (GROUP_OBJ, 7), (MASK, 7), (OTHER, 7)))

    store.put("K", {"n": 2})

    assert (list_of(lists / "K.json"), mode(lists / "K.json")) == (None, 0o640)


def lacks(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:

        def refuse(*_args: Any, **_named: Any) -> Any:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, name, refuse)


@pytest.mark.parametrize("save", SAVES.values(), ids=list(SAVES))
def test_where_there_are_no_access_lists_or_owners_files_are_saved_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any
) -> None:
    lacks(monkeypatch, "getxattr", "setxattr", "fchown")

    for number in range(3):
        save(tmp_path, number)

    assert {mode(path) for path in files(tmp_path) if path.name != ".lock"} == {0o640}


def test_where_python_knows_no_extended_attributes_files_are_saved_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("getxattr", "setxattr", "removexattr"):
        monkeypatch.delattr(os, name, raising=False)
    store = DocumentStore(tmp_path)

    store.put("K", {"n": 1})
    store.put("K", {"n": 2})

    assert store.get("K") == {"n": 2}


def test_a_list_that_cannot_be_kept_does_not_open_the_file_to_its_group(
    lists: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DocumentStore(lists)
    store.put("K", {"n": 1})
    os.setxattr(lists / "K.json", ACCESS, BOB_READS)  # Bob may read it, the group may not
    lacks(monkeypatch, "setxattr")

    store.put("K", {"n": 2})

    assert (list_of(lists / "K.json"), mode(lists / "K.json")) == (None, 0o600)


@pytest.mark.parametrize("name", ["fchown", "setxattr"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failing_disk_is_an_error_and_the_old_file_stays(
    lists: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    directory = Directory.open(str(lists))
    directory.replace("f", b"one", None)
    os.chown(lists / "f", -1, group_of_others())
    os.setxattr(lists / "f", ACCESS, BOB_READS)
    fail_call(monkeypatch, name, code)

    with pytest.raises(OSError) as raised:
        directory.replace("f", b"two", directory.read("f", LIMIT))

    assert raised.value.errno == code
    assert {path.name: path.read_bytes() for path in lists.iterdir()} == {"f": b"one"}


@as_root
def test_while_a_file_is_written_no_group_but_the_right_one_can_open_it(
    lists: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Directory.open(str(lists))
    directory.replace("f", b"one", None)
    os.chown(lists / "f", ORDINARY, ANALYSTS)
    seen: list[tuple[int, int]] = []

    def note(descriptor: int) -> None:
        about = os.fstat(descriptor)
        if stat.S_ISREG(about.st_mode):
            seen.append((about.st_gid, stat.S_IMODE(about.st_mode)))

    for call in ("write", "fchown", "setxattr", "fchmod", "fsync"):
        real = getattr(os, call)

        def spied(descriptor: int, *args: Any, _real: Any = real, **named: Any) -> Any:
            note(descriptor)
            result = _real(descriptor, *args, **named)
            note(descriptor)
            return result

        monkeypatch.setattr(os, call, spied)

    directory.replace("f", b"two", directory.read("f", LIMIT))

    assert {mode for group, mode in seen if group != ANALYSTS} == {0o600}
    assert seen[-1] == (ANALYSTS, 0o640)


permissions = st.integers(0, 7)


def rights(path: Path) -> dict[str, int]:
    """What owner, a user on the list, a group on it, the file's group and everybody may, as the kernel decides it."""
    bits, found = mode(path), list_of(path)
    if found is None:
        everybody = bits & 7
        return {
            "owner": bits >> 6 & 7,
            "user": everybody,
            "listed": everybody,
            "group": bits >> 3 & 7,
            "all": everybody,
        }
    entries = {tag: perm for tag, perm, _ in struct.iter_unpack("<HHI", found[4:])}
    mask = entries[MASK]
    named = {"user": USER, "listed": GROUP, "group": GROUP_OBJ}
    return {
        "owner": entries[USER_OBJ],
        "all": entries[OTHER],
        **{who: entries[tag] & mask for who, tag in named.items()},
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bits=st.integers(0, 0o777),
    listed=st.none() | st.tuples(permissions, permissions, permissions, permissions, permissions, permissions),
    default=st.none() | st.tuples(permissions, permissions, permissions),
    kept=st.booleans(),
)
@example(0o640, (6, 4, 0, 4, 4, 0), None, True)
@example(0o640, (6, 4, 0, 4, 4, 0), (7, 7, 7), False)
@example(0o666, None, (7, 7, 7), True)
def test_nobody_may_more_with_the_new_file_than_with_the_old_one_and_those_on_a_list_may_no_less(
    lists: Path,
    bits: int,
    listed: tuple[int, ...] | None,
    default: tuple[int, ...] | None,
    kept: bool,
) -> None:
    path = lists / "f"
    path.unlink(missing_ok=True)
    if default is None:
        if DEFAULT in os.listxattr(lists):
            os.removexattr(lists, DEFAULT)
    else:
        user, group, mask = default
        entries = ((USER_OBJ, 7), (USER, user, BOB), (GROUP_OBJ, group), (GROUP, group, BOB), (MASK, mask), (OTHER, 7))
        os.setxattr(lists, DEFAULT, acl(*entries))
    path.write_bytes(b"one")
    path.chmod(bits)
    if listed is not None:
        owner, user, own, group, mask, other = listed
        os.setxattr(
            path,
            ACCESS,
            acl(
                (USER_OBJ, owner),
                (USER, user, BOB),
                (GROUP_OBJ, own),
                (GROUP, group, BOB),
                (MASK, mask),
                (OTHER, other),
            ),
        )
    elif ACCESS in os.listxattr(path):
        os.removexattr(path, ACCESS)
        path.chmod(bits)
    if not os.access(path, os.R_OK):
        return  # not as root: a file that cannot be read is not replaced
    before = rights(path)
    with pytest.MonkeyPatch.context() as patch:
        if not kept and os.geteuid() == 0:
            os.chown(path, -1, ANALYSTS)
            fail_call(patch, "fchown", errno.EPERM)
        directory = Directory.open(str(lists))
        directory.replace("f", b"two", directory.read("f", LIMIT))

    after = rights(path)
    assert {who: may & ~before[who] for who, may in after.items() if may & ~before[who]} == {}
    assert path.stat().st_mode & 0o137 == 0 or listed is not None
    if listed is not None:
        assert (after["user"], after["listed"]) == (before["user"], before["listed"])
    if not kept and os.geteuid() == 0:
        # Its members were among "all" before, unless they were in the other group too.
        assert after["group"] & ~before["all"] == 0
