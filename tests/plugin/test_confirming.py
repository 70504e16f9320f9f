"""``--tradestore-confirm``: what cannot be asked is refused before anything runs, in one sentence."""

import pytest

from pytest_tradestore.confirm import needs

OPTIONS = ("--noconftest", "--tradestore-budget=quick")


def lacking(monkeypatch, *phrases):
    monkeypatch.setattr(needs, "missing", lambda filesystems: iter(phrases))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--tradestore-confirm=ext4,zfs"],
            "*confirm: 'zfs' is no file system that can be asked; choose from*",
        ),
        (["--tradestore-confirm="], "*confirm: '' is no file system that can be asked; choose from*"),
        (
            ["--tradestore-keep=kept"],
            "*keep does nothing without --tradestore-replay or *confirm; add one*",
        ),
    ],
    ids=["unknown", "none", "nothing to keep"],
)
def test_what_makes_no_sense_is_refused(project, monkeypatch, options, sentence):
    lacking(monkeypatch)

    result = project.run(*OPTIONS, *options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])


def test_what_is_missing_is_said_in_one_sentence(project, monkeypatch):
    lacking(monkeypatch, "/dev/fuse", "mkfs.xfs (package xfsprogs)")

    result = project.run(*OPTIONS, "--tradestore-confirm=ext4,xfs")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*no file system can be asked here, /dev/fuse and mkfs.xfs (package xfsprogs) missing; run it where*"]
    )


def test_it_needs_the_flag(project):
    result = project.pytester.runpytest("--noconftest", "--tradestore-confirm=ext4")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--tradestore-confirm does nothing without --tradestore-conformance; add that flag*"])


def test_control_without_it_no_mark_is_made(project):
    result = project.run(*OPTIONS, "--tradestore-requirement=ATOM-1")

    result.stdout.no_fnmatch_line("*Kernel: *")
    result.stdout.fnmatch_lines(["*ATOM-1 VIOLATED*"])


def test_a_finding_has_its_mark_in_the_terminal_and_the_reports(project, monkeypatch):
    """The file system is played here; the real ones are asked in tests/confirm."""
    from pytest_tradestore.confirm import sightings
    from pytest_tradestore.verdict import Sighting

    lacking(monkeypatch)
    seen = {("ATOM-1", 0): (Sighting("ext4", "Linux 6.18", seen=True, states=7),)}
    monkeypatch.setattr(sightings, "sightings", lambda store, evidence, settings: seen)

    result = project.run(
        *OPTIONS,
        "--tradestore-requirement=ATOM-1",
        "--tradestore-confirm=ext4",
        "--tradestore-report=json:r.json",
        "--tradestore-report=html:r.html",
        "--junitxml=r.xml",
    )

    result.stdout.fnmatch_lines(["Kernel: * seen on ext4 (Linux 6.18)"])
    for name in "r.json", "r.html", "r.xml":
        assert "Linux 6.18" in (project.pytester.path / name).read_text()
