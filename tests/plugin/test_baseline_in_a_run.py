"""With the report of an earlier run a run fails only for what is new, and hides nothing."""

import json

import pytest

BEFORE = (("ATOM-1", "HOLDS"), ("ATOM-2", "VIOLATED"), ("DUR-2", "UNDECIDED", {"reason": "too slow"}))


@pytest.fixture
def with_baseline(project):
    project.checks(*BEFORE)
    project.run("--tradestore-report=json:before.json")
    return lambda *arguments: project.run("--tradestore-baseline=before.json", *arguments)


def test_what_was_known_fails_nothing_and_is_shown(with_baseline):
    result = with_baseline("-rx")

    assert result.ret == 0
    result.assert_outcomes(passed=1, xfailed=2)
    result.stdout.fnmatch_lines(["Acme: CONFORMANT durable WITH WAIVERS"])
    result.stdout.fnmatch_lines(["XFAIL *ATOM-2* - WAIVED: known before, by before.json (VIOLATED: ATOM-2 breaks)"])


def test_control_without_the_baseline_it_fails(project):
    project.checks(*BEFORE)

    assert project.run().ret == 1


def test_what_is_new_fails(project, with_baseline):
    project.checks(*BEFORE[1:], ("ATOM-1", "VIOLATED"))

    result = with_baseline()

    assert result.ret == 1
    result.stdout.fnmatch_lines(["Acme: NOT CONFORMANT: ATOM-1"])


def test_the_same_requirement_of_another_store_is_new(project, with_baseline):
    result = project.run("--tradestore-baseline=before.json", store="other=acme:Acme")

    result.stdout.fnmatch_lines(["other: NOT CONFORMANT: ATOM-2"])


def test_what_is_mended_is_told(project, with_baseline):
    project.checks(("ATOM-1", "HOLDS"), ("ATOM-2", "HOLDS"), BEFORE[2])

    result = with_baseline()

    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: mended since the baseline*: Acme: ATOM-2?documents?"])


def test_a_waived_run_is_a_baseline_like_any_other(project, with_baseline):
    with_baseline("--tradestore-report=json:again.json")

    assert project.run("--tradestore-baseline=again.json").ret == 0


def in_place(text):
    return lambda report: text


def without(member):
    return lambda report: json.dumps({name: value for name, value in report.items() if name != member})


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (in_place("no JSON"), "before.json is not a JSON report: *"),
        (in_place("[]"), "before.json is not a report that this version wrote; write it anew *"),
        (
            without("stores"),
            "before.json is not a report that this version wrote (KeyError: 'stores'); write it anew *",
        ),
        (lambda report: json.dumps(report | {"schema": 7}), "before.json has schema 7, and this version knows *"),
    ],
)
def test_what_is_no_baseline_is_refused_in_one_sentence(project, with_baseline, spoil, told):
    path = project.pytester.path / "before.json"
    path.write_text(spoil(json.loads(path.read_text())))

    result = with_baseline()

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: --tradestore-baseline: *{told}"])
    assert "Traceback" not in result.stderr.str()


def test_one_that_is_missing_is_refused_and_says_how_to_make_it(project):
    result = project.run("--tradestore-baseline=nowhere.json")

    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*nowhere.json cannot be read: No such file or directory; write it with *json:nowhere.*"]
    )


@pytest.mark.parametrize("name", ["a.sarif", "a.md", "a.svg"])
def test_reports_for_other_readers_are_written(project, name):
    kind = {"a.sarif": "sarif", "a.md": "markdown", "a.svg": "badge"}[name]
    project.checks(*BEFORE)

    result = project.run(f"--tradestore-report={kind}:{name}")

    result.stdout.fnmatch_lines([f"report written to *{name}"])
    text = (project.pytester.path / name).read_text()
    assert {"sarif": '"ruleId": "ATOM-2"', "markdown": "NOT CONFORMANT: ATOM-2", "badge": "not conformant"}[
        kind
    ] in text


def test_on_github_root_causes_stand_beside_the_code_and_the_result_on_the_page(project, monkeypatch):
    page = project.pytester.path / "page.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    project.checks(*BEFORE)

    result = project.run()

    result.stdout.fnmatch_lines(["::error title=Acme%3A ATOM-2 breaks*::ATOM-2 breaks%0AReplay: pytest *t1"])
    assert "### Acme: NOT CONFORMANT: ATOM-2" in page.read_text()


def test_control_elsewhere_nothing_is_said_to_github(project):
    project.checks(*BEFORE)

    assert "::error" not in project.run().stdout.str()
