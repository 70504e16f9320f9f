"""A token from a failure shows the same state again, with the suite's real checks."""

import re

import pytest

OPTIONS = ("--noconftest", "--tradestore-budget=quick")


@pytest.fixture
def replay(project):
    """Run the suite on a store that writes in place, and return a way to replay the token of its failure."""
    options = ("--noconftest", "--tradestore-budget=quick")
    failed = project.run(*options, "--tradestore-requirement=ATOM-1")
    found = re.search(r"--tradestore-replay (\S+)", failed.stdout.str())
    assert found, failed.stdout.str()

    def run(*more, token=None):
        return project.run(*options, f"--tradestore-replay={token or found.group(1)}", *more)

    run.token = found.group(1)
    return run


@pytest.mark.proof
def test_a_token_shows_its_state_again_and_leaves_the_files(project, replay):
    result = replay("--tradestore-keep=kept")

    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ATOM-1 VIOLATED*", "*tradestore replay*", "*: breaks ATOM-1*", "  kept: * are in *kept"]
    )
    assert [path.name for path in (project.pytester.path / "kept").iterdir()] == ["AAPL"]


def test_a_directory_that_holds_the_files_of_an_earlier_one_is_left_alone(project, replay):
    (project.pytester.path / "kept").mkdir()
    (project.pytester.path / "kept" / "of-before").touch()

    result = replay("--tradestore-keep=kept")

    result.stdout.fnmatch_lines(["  kept: * are in *kept-2"])
    assert [path.name for path in (project.pytester.path / "kept").iterdir()] == ["of-before"]
    assert [path.name for path in (project.pytester.path / "kept-2").iterdir()] == ["AAPL"]


def test_a_file_in_its_place_is_told(project, replay):
    (project.pytester.path / "kept").touch()

    replay("--tradestore-keep=kept").stdout.fnmatch_lines(["*kept: it exists and is no directory; name another one*"])


@pytest.mark.proof
def test_control_a_state_that_breaks_nothing_passes_and_says_so(replay):
    store, case, _, lost, made = replay.token.split("/")

    result = replay(token=f"{store}/{case}/c3/{lost}/{made}")

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*/c3/*: breaks nothing"])


def test_a_token_of_another_program_is_refused_in_one_sentence(replay):
    result = replay(token=replay.token[:-1] + ("0" if replay.token[-1] != "0" else "1"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the store no longer does what it did when the token was made*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        pytest.param("nonsense", "'nonsense' is not a replay token", id="malformed"),
        pytest.param("other/documents/c1/-/00000000", "the replay token is of a store 'other'", id="other-store"),
    ],
)
def test_a_token_that_fits_nothing_is_a_usage_error(project, token, sentence):
    result = project.run(f"--tradestore-replay={token}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sentence in result.stderr.str()


def test_keep_without_a_token_is_told_that_it_does_nothing(project):
    assert "--tradestore-keep does nothing without" in project.run("--tradestore-keep=kept").stderr.str()


@pytest.mark.proof
@pytest.mark.parametrize(
    ("requirement", "sort"), [("FAULT-1", "fault"), ("CORR-2", "damage")], ids=["a fault", "a damage"]
)
def test_a_token_tries_one_thing_again(project, requirement, sort):
    failed = project.run(*OPTIONS, f"--tradestore-requirement={requirement}", "--tradestore-profile=hardened")
    token, *_ = re.findall(rf"--tradestore-replay (\S+/{sort}/\S+)", failed.stdout.str())  # of the worst cause

    again = project.run(*OPTIONS, f"--tradestore-replay={token}")
    stranger = project.run(*OPTIONS, f"--tradestore-replay={token[:-8]}00000000")

    assert (again.ret, stranger.ret) == (1, 1)
    again.stdout.fnmatch_lines([f"*{requirement} VIOLATED*", f"{token}: breaks *{requirement}*"])
    stranger.stdout.fnmatch_lines([f"nothing that is tried on the store now is what {token[:-8]}00000000 names*"])
    stranger.stdout.no_fnmatch_line("*Traceback*")
