"""``TestAcme = conformance_suite(open_store)``: the suite inside of a project's own test module."""

import pytest

MODULE = """
from acme import Acme, NoContract
from pytest_tradestore import conformance_suite

TestAcme = conformance_suite(Acme{more})

def test_own(): pass
"""


@pytest.fixture
def module(project):
    def write(more=""):
        return project.pytester.makepyfile(test_stores=MODULE.format(more=more))

    write()
    return write


def test_it_runs_without_the_flag_among_the_other_tests(project, module):
    result = project.pytester.runpytest("-v", "--tradestore-recorder=fake")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "test_stores.py::TestAcme::ATOM-1[[]documents] PASSED*",
            "test_stores.py::test_own PASSED*",
            "Acme: CONFORMANT durable",
        ]
    )


def test_its_ids_are_local_and_select(project, module):
    result = project.pytester.runpytest("test_stores.py::TestAcme::ATOM-2[documents]")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["Acme: INCOMPLETE: only 1 of 2 checks were run"])


def test_a_violation_fails_like_with_the_flag(project, module):
    project.checks(("ATOM-1", "VIOLATED"))

    result = project.pytester.runpytest()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_stores.py::TestAcme::ATOM-1[[]documents] - VIOLATED: ATOM-1 breaks"])


def test_last_failed_finds_it_again(project, module):
    project.checks(("ATOM-1", "VIOLATED"))
    project.pytester.runpytest()

    project.pytester.runpytest("--lf").assert_outcomes(failed=1)


@pytest.mark.proof
def test_its_results_cross_xdist(project, module):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"))

    result = project.pytester.runpytest_subprocess("-n2")

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["Acme: NOT CONFORMANT: ATOM-2"])


def test_it_takes_a_name_and_declarations(project, module):
    module(", name='portfolio', disclaims={'power-loss'}")

    result = project.pytester.runpytest()

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["portfolio: CONFORMANT durable"])


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        pytest.param(", claims=('flight',)", "there is no capability 'flight'", id="capability"),
        pytest.param(", colour='red'", "conformance_suite: *unexpected keyword argument 'colour'", id="argument"),
        pytest.param(", name='a/b'", "a store cannot be named 'a/b'", id="name"),
    ],
)
def test_a_wrong_declaration_is_one_sentence_at_collection(project, module, more, sentence):
    module(more)

    result = project.pytester.runpytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{sentence}*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_store_that_cannot_be_opened_is_one_sentence_at_collection(project, module):
    project.pytester.makepyfile(
        test_stores="""
        from acme import raises
        from pytest_tradestore import conformance_suite
        TestX = conformance_suite(raises)
        """
    )

    result = project.pytester.runpytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["store 'X'*raised RuntimeError when it was opened*: the flux is not aligned*"])


def test_two_suites_of_one_name_are_told_apart_by_their_ids(project, module):
    module()
    (project.pytester.path / "test_more.py").write_text((project.pytester.path / "test_stores.py").read_text())

    result = project.pytester.runpytest()

    result.stdout.fnmatch_lines(
        ["test_more.py::TestAcme: CONFORMANT durable", "test_stores.py::TestAcme: CONFORMANT durable"]
    )
