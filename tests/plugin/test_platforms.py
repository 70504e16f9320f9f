"""What can only happen on platforms that a store is not used on is a note, and never a violation."""

import json

import pytest

STORE = """
import json
import os


class Verbatim:
    '''Each key is the name of a file: where a file system ignores case, two keys are one.'''

    def __init__(self, root):
        self.root = root

    def _file(self, key):
        if type(key) is not str or len(key) > 64 or key.startswith(".") or not all(
            c.isascii() and (c.isalnum() or c in ".-_") for c in key
        ) or not key:
            raise ValueError("not a key")
        return self.root / f"{key}.json"

    def put(self, key, document):
        self._file(key).write_text(json.dumps(document))

    def get(self, key):
        path = self._file(key)
        return json.loads(path.read_text()) if path.exists() else None


class EverywhereAtHome(Verbatim):
    tradestore_platforms = ("linux", "macos", "windows")


class Hexed(Verbatim):
    def _file(self, key):
        return super()._file(key).with_name(f"{key.encode().hex()}.json")


class NoSuchPlace(Verbatim):
    tradestore_platforms = ("linux", "amiga")
"""


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(here=STORE)

    def run(*arguments, store="here:Verbatim", requirement="NAME-3"):
        common = ("--tradestore-conformance", "--tradestore-recorder=fake", "--tradestore-budget=quick")
        only = (f"--tradestore-requirement={requirement}", "--tradestore-report=json:report.json")
        return pytester.runpytest(*common, *only, f"--tradestore-store={store}", *arguments)

    run.report = lambda: json.loads((pytester.path / "report.json").read_text())
    run.ini = lambda text: pytester.makeini(f"[pytest]\ntradestore_platforms = {text}\n")
    return run


def test_what_happens_on_apfs_is_a_note_for_a_store_of_linux(run):
    result = run()

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*portability: NAME-3: on macos: the keys * share data on APFS (macOS)*"])
    (store,) = run.report()["stores"]
    (checked,) = store["requirements"]
    assert checked["verdict"] == "HOLDS"
    assert any("NTFS" in note for note in checked["portability"])


@pytest.mark.parametrize("said", ["declared", "an option", "an ini value"])
def test_control_it_violates_where_the_store_is_used_there(run, said):
    if said == "an ini value":
        run.ini("linux macos")
    option = ("--tradestore-platform=macos",) if said == "an option" else ()

    result = run(*option, store="here:EverywhereAtHome" if said == "declared" else "here:Verbatim")

    result.assert_outcomes(failed=1)


def test_one_flaw_is_one_finding_and_a_note_each_on_however_many_platforms(run):
    run(store="here:EverywhereAtHome")
    (store,) = run.report()["stores"]
    here = {finding["cause"]["fault"] for finding in store["findings"]}
    assert here == {"one file for names that differ in upper and lower case"}

    run()
    (store,) = run.report()["stores"]
    assert [note[:16] for note in store["requirements"][0]["portability"]] == ["on macos: the ke", "on windows: the "]


def test_a_file_with_the_name_of_a_device_is_a_note_for_a_store_of_linux(run):
    result = run(requirement="NAME-4")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*NAME-4: on windows: the key 'CON' is kept in 'CON.json', which is a device on*"])


def test_control_it_violates_where_the_store_is_used_there_and_not_where_names_are_encoded(run):
    run("--tradestore-platform=windows", requirement="NAME-4").assert_outcomes(failed=1)
    run("--tradestore-platform=windows", store="here:Hexed", requirement="NAME-4").assert_outcomes(passed=1)


@pytest.mark.parametrize("said", ["declared", "an ini value"])
def test_a_platform_that_does_not_exist_is_refused(run, said):
    if said == "an ini value":
        run.ini("amiga")

    result = run(store="here:NoSuchPlace" if said == "declared" else "here:Verbatim")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*there is no platform 'amiga'; choose from linux, macos, windows*"])
