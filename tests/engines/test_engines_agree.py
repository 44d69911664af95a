"""Promises of every engine: it computes what the reference computes, op by op and program by program."""

from __future__ import annotations

import pytest
from engines.engines import ENGINES
from engines.user_programs import PROGRAMS

import zerograd as torch
from zerograd import dtypes
from zerograd.engines.checking.building import own_recorder
from zerograd.engines.checking.capture import captured
from zerograd.engines.checking.cases import LEFT_OUT, OPS, cases
from zerograd.engines.checking.comparing import expected
from zerograd.engines.checking.programs import program
from zerograd.engines.checking.trial import stages
from zerograd.engines.checking.trying import Engine, faults_of
from zerograd.ir.graph import Op

CASES = 2
PROGRAMS_IN_ONE_TEST = 50
THREADS = (1, 2)

on_every_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda one: one.name)


@on_every_engine
@pytest.mark.parametrize("op", [op for op in OPS if op.name not in LEFT_OUT], ids=lambda op: op.name)
def test_op_computes_what_the_reference_computes_in_every_type(engine: Engine, op: Op) -> None:
    tried = 0
    for kind in dtypes.ALL:
        for place, case in enumerate(cases(op, kind, CASES)):
            assert not faults_of(case, engine, THREADS, relaid=place), case.trial.name
            tried += 1
    assert tried, "no type is taken"


@on_every_engine
@pytest.mark.parametrize("start", range(0, 400, PROGRAMS_IN_ONE_TEST))
def test_random_programs_compute_what_the_reference_computes(engine: Engine, start: int) -> None:
    for seed in range(start, start + PROGRAMS_IN_ONE_TEST):
        assert not faults_of(program(seed), engine, THREADS, relaid=seed), f"seed {seed}"


@on_every_engine
@pytest.mark.parametrize("seed", [15149])  # tanh(acosh(float16)): LLVM called a library to round double to half
def test_programs_that_once_failed_do_so_no_more(engine: Engine, seed: int) -> None:
    assert not faults_of(program(seed), engine, THREADS, relaid=seed)


@on_every_engine
@pytest.mark.parametrize("name", PROGRAMS)
def test_training_computes_what_the_reference_computes(engine: Engine, name: str) -> None:
    with own_recorder():
        torch.manual_seed(0)
        with captured(name) as trials:
            PROGRAMS[name]()
        assert trials
        for trial in trials:
            whole = expected(trial)
            assert not faults_of(whole, engine, THREADS), trial.name
            for part in stages(trial, whole.values):
                found = expected(part)
                assert not faults_of(found, engine, THREADS), part.name
                assert found.coverage().decided > 0.9 * found.coverage().elements, part.name
