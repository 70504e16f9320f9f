"""Generated programs: the same for the same seed, and short once they fail."""

import pytest

from pytest_tradestore.kits.grammar import OneOf, Several, StepKind, generated_programs, simpler
from pytest_tradestore.kits.registry import kit_named
from tests.broken_stores import trading_data

GRAMMAR = (
    StepKind("put", (OneOf(("a", "b")), Several((OneOf(range(3)),), least=1)), often=2),
    StepKind("get", (OneOf(("a", "b")),)),
)


def test_programs_depend_on_the_seed_alone():
    assert list(generated_programs(GRAMMAR, 50, 7)) == list(generated_programs(GRAMMAR, 50, 7))


def test_control_another_seed_gives_other_programs():
    assert list(generated_programs(GRAMMAR, 50, 7)) != list(generated_programs(GRAMMAR, 50, 8))


@pytest.mark.parametrize("name", ["bars", "jobs", "runs"])
def test_forty_programs_make_every_kind_of_step_and_grow_longer(name):
    grammar = kit_named(name).grammar
    programs = list(generated_programs(grammar, 40, 0))

    assert {step[0] for program in programs for step in program} == {kind.name for kind in grammar}
    assert len(programs[0]) <= 4
    assert max(map(len, programs)) >= 16


def test_a_simpler_program_keeps_to_the_grammar():
    program = (("put", "b", ((2,), (1,))), ("get", "b"), ("put", "a", ((0,),)))

    found = list(simpler(program, GRAMMAR))

    assert (("get", "b"), ("put", "a", ((0,),))) in found
    assert (("put", "b", ((1,),)), *program[1:]) in found
    assert (program[0], ("get", "a"), program[2]) in found
    assert not [p for p in found for step in p if step[0] == "put" and not step[2]]


def test_a_failing_program_is_shown_as_the_few_calls_that_it_needs(judged):
    result = judged(trading_data.DeletedRunsLinger, "DATA-MODEL", "runs-generated")

    assert result.counterexample.workload == (
        "create_or_update_run('run-1', 'backtest', status='pending')",
        "delete_run('run-1')",
        "create_or_update_run('run-1', 'backtest', status='pending')",
        "get_run('run-1')",
    )
    assert (result.counterexample.found, result.counterexample.allowed) == (
        ('{"status": "failed"}',),
        ('{"status": "pending"}',),
    )


def test_a_failing_program_is_the_same_with_every_run(judged):
    first, second = (judged(trading_data.KeepsBothBars, "DATA-MODEL", "bars-generated") for _ in range(2))

    assert first.counterexample == second.counterexample
