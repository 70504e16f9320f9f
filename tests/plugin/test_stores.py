"""Where stores come from, and the one sentence for each way in which that can go wrong."""

import sys

import pytest


def error_of(result):
    """Return what a run that ends with a usage error says, and that it says nothing else."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines if line]
    assert len(lines) == 1, result.stderr.str()
    assert "Traceback" not in result.stdout.str()
    return lines[0].removeprefix("ERROR: ")


MISTAKES = {
    "no colon": ("acme", "'acme' is not of the form [NAME=]MODULE:CALLABLE"),
    "a path": ("acme.py:Acme()", "is not of the form"),
    "no name before the equals sign": ("=acme:Acme", "is not of the form"),
    "empty": ("", "is not of the form"),
    "no such module": ("acmee:Acme", "there is no module named 'acmee'"),
    "no such submodule": ("acme.deep:Acme", "there is no module named 'acme.deep'"),
    "no such attribute": ("acme:Acne", "acme has no 'Acne' (did you mean Acme?)"),
    "not callable": ("acme:number", "acme:number is not callable"),
    "name that breaks ids": ("a/b=acme:Acme", "a store cannot be named 'a/b'"),
    "name with a bracket": ("a[b=acme:Acme", "a store cannot be named 'a[b'"),
    "undefined capability": ("acme:Declares", "there is no capability 'teleportation'"),
    "undefined declaration": (
        "acme:Misspelt",
        "there is no declaration 'tradestore_claim' (did you mean tradestore_claims?)",
    ),
    "another spelling": ("acme:Camel", "there is no declaration 'tradestoreErrors' (did you mean tradestore_errors?)"),
    "no contract": ("acme:NoContract", "NoContract offers no contract that the suite knows: it has frobnicate()."),
    "raises": ("acme:raises", "raised RuntimeError when it was opened on an empty directory: the flux is not aligned"),
    "exits": ("acme:exits", "its process exited with status 3 while it was opened"),
    "hangs": ("acme:hangs", "opening it on an empty directory took longer than 0.2 s"),
}


@pytest.mark.parametrize(("store", "sentence"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_store_that_cannot_be_used_gets_one_sentence(project, store, sentence):
    assert sentence in error_of(project.run(store=store))


def test_control_a_usable_store_is_used(project):
    assert project.run(store="acme:Acme").ret == 0


@pytest.mark.parametrize(
    ("source", "sentence"),
    {
        "an import inside is missing": (
            "import nowhere",
            "importing mine raised ModuleNotFoundError: No module named 'no",
        ),
        "raises": ("x = 1\n1 / 0", "importing mine raised ZeroDivisionError: division by zero ("),
        "exits": ("import sys; sys.exit()", "importing mine raised SystemExit ("),
        "does not parse": ("def", "importing mine raised SyntaxError: "),
    }.values(),
    ids=["missing-import", "raises", "exits", "syntax"],
)
def test_an_error_inside_of_a_module_is_told_apart_from_a_missing_one(project, source, sentence):
    project.pytester.makepyfile(mine=source)

    error = error_of(project.run(store="mine:Store"))

    assert sentence in error
    assert "mine.py:" in error or "parse" in source


def test_two_stores_of_one_name_are_refused(project):
    error = error_of(project.run("--tradestore-store=acme:Acme"))

    assert error.startswith("two stores are named 'Acme' (acme:Acme and acme:Acme)")


def test_two_stores_with_names_of_their_own_are_both_checked(project):
    assert len(project.collected("--tradestore-store=log=acme:Log")) == 4


def test_a_module_is_found_from_the_root_and_from_where_pytest_was_called(project, monkeypatch):
    project.pytester.makeini("[pytest]\n")
    below = project.pytester.mkdir("below")
    (below / "nearby.py").write_text("from acme import Log as Store\n")
    monkeypatch.chdir(below)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(project.pytester.path))])

    assert project.run("--tradestore-store=near=nearby:Store", "--rootdir=..").ret == 0


def test_what_a_module_prints_while_it_is_imported_is_kept_out(project):
    project.pytester.makepyfile(noisy="from acme import Acme\nprint('NOISE')")

    result = project.run(store="noisy:Acme")

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*NOISE*")


def test_stores_come_from_native_toml(project):
    project.pytester.makepyprojecttoml(
        '[tool.pytest]\ntradestore_stores = ["acme:Acme", "log=acme:Log"]\ntradestore_profile = "basic"\n'
    )

    result = project.run(store=None)

    result.stdout.fnmatch_lines(["stores: Acme (documents), log (journal)", "Acme: CONFORMANT durable"])


def test_stores_come_from_an_ini_file(project):
    project.pytester.makeini("[pytest]\ntradestore_stores =\n    acme:Acme\n    log=acme:Log\n")

    project.run(store=None).stdout.fnmatch_lines(["stores: Acme (documents), log (journal)"])


def test_a_wrong_profile_in_the_configuration_is_named(project):
    project.pytester.makeini("[pytest]\ntradestore_profile = gold\n")

    assert (
        error_of(project.run()) == "tradestore_profile in tox.ini must be one of basic, durable, hardened, not 'gold'"
    )


def test_the_option_replaces_the_configured_stores(project):
    project.pytester.makeini("[pytest]\ntradestore_stores = log=acme:Log\n")

    project.run().stdout.fnmatch_lines(["stores: Acme (documents)"])


HOOK = """
@pytest.hookimpl(optionalhook=True)
def pytest_tradestore_stores(config):
    from acme import Acme
    from pytest_tradestore import StoreUnderTest
    return {}
"""


def with_hook(project, returned):
    conftest = project.pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + HOOK.format(returned))


def test_stores_come_from_the_hook(project):
    with_hook(project, "[StoreUnderTest('hooked', lambda root: Acme(root), errors=(KeyError,))]")

    result = project.run(store=None)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["stores: hooked (documents)"])


@pytest.mark.parametrize("returned", ["[Acme]", "3", "'acme:Acme'"])
def test_a_hook_that_returns_something_else_is_told(project, returned):
    with_hook(project, returned)

    assert "hook pytest_tradestore_stores must return" in error_of(project.run(store=None))


def test_a_target_from_the_hook_that_cannot_be_called_is_told(project):
    with_hook(project, "[StoreUnderTest('hooked', 7)]")

    assert "store 'hooked': its target 7 is not callable" in error_of(project.run(store=None))


def test_a_store_without_the_flag_is_told_that_it_does_nothing(project):
    result = project.pytester.runpytest("--tradestore-store=acme:Acme")

    assert "does nothing without --tradestore-conformance" in error_of(result)


@pytest.mark.parametrize(
    ("option", "sentence"),
    {
        "another format": ("pdf:out.pdf", "write json:PATH or html:PATH"),
        "no format": ("out.json", "write json:PATH or html:PATH"),
        "no path": ("json:", "write json:PATH or html:PATH"),
        "no directory": ("json:no/where.json", "there is no directory no; create it"),
        "a directory": ("json:.", ". is a directory; name a file"),
    }.values(),
    ids=["another-format", "no-format", "no-path", "no-directory", "a-directory"],
)
def test_a_report_that_cannot_be_written_is_told_before_anything_runs(project, option, sentence):
    assert sentence in error_of(project.run(f"--tradestore-report={option}"))


def test_an_unknown_model_is_told_with_those_there_are(project):
    assert "choose from strict" in error_of(project.run("--tradestore-model=hopeful"))
