"""Promises of the checks of engines: what is wrong is found, and what is only rounded differently is not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from zerograd import dtypes
from zerograd.engines import reference
from zerograd.engines.checking import __main__ as command
from zerograd.engines.checking import running, sequences
from zerograd.engines.checking.bounds import bounds_of
from zerograd.engines.checking.cases import cases
from zerograd.engines.checking.comparing import Coverage, Expectation, agreeing, expected
from zerograd.engines.checking.faults import COMPUTED, FAULTS, KEPT
from zerograd.engines.checking.programs import program
from zerograd.engines.checking.shrinking import described, shrunk
from zerograd.engines.checking.step import SIGNIFICANT
from zerograd.engines.checking.tolerances import Freedoms
from zerograd.engines.checking.trial import Trial
from zerograd.engines.checking.trying import Engine, engine, faults_of
from zerograd.engines.checking.variants import SOUND
from zerograd.ir.graph import Node, TensorType, leaf, registry

ENOUGH = 600  # random programs among which a fault is found


@cache
def random_program(seed: int) -> Expectation:
    return program(seed)


def leaf_of(slot: int, array: np.ndarray) -> Node:
    type = TensorType(array.shape, dtypes.from_numpy(array.dtype))
    return Node(leaf, (), {"slot": slot, "type": type}, type, False)


def expectation_of(make: Callable[..., Node], *arrays: np.ndarray) -> Expectation:
    return expected(Trial("by hand", (make(*map(leaf_of, range(len(arrays)), arrays)),), arrays))


# Faults of what occurs too seldom in random programs are found op by op.
OP_BY_OP = {"relu makes NaN 0": "relu", "exp flushes subnormals": "exp", "softmax without maximum": "softmax",
            "index without negative places": "index"}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in OP_BY_OP])
def test_planted_fault_is_found_among_random_programs(name: str) -> None:
    under = engine(name)
    assert any(faults_of(random_program(seed), under) for seed in range(ENOUGH))


@pytest.mark.parametrize("name", OP_BY_OP)
def test_planted_fault_is_found_op_by_op(name: str) -> None:
    found = cases(registry[OP_BY_OP[name]], dtypes.float32, 60)
    assert any(faults_of(one, engine(name)) for one in found)


@pytest.mark.parametrize("name", SOUND)
def test_other_roundings_are_no_faults(name: str) -> None:
    for seed in range(200):
        assert not faults_of(random_program(seed), engine(name)), f"seed {seed}"


def test_nearly_everything_is_judged() -> None:
    total = Coverage()
    for seed in range(200):
        total.merge(random_program(seed).coverage())
    assert total.decided > 0.97 * total.elements
    assert total.tight > 0.8 * total.elements


def test_a_seed_gives_the_same_program() -> None:
    first, second = program(7), program(7)
    assert described(first.trial) == described(second.trial)
    for a, b in zip(first.trial.leaves, second.trial.leaves, strict=True):
        np.testing.assert_array_equal(a, b)


# --- bounds ------------------------------------------------------------------------------------------------


def test_exact_ops_have_no_bound() -> None:
    x = np.array([1.5, -0.0, np.nan, 1e-45], np.float32)
    found = expectation_of(lambda x: registry["mul"](registry["add"](x, x), x), x)
    assert found.bounds[found.trial.outputs[0]] is None


def test_zeros_of_other_sign_and_single_bits_count() -> None:
    x = np.array([0.0, 1.0, np.nan], np.float32)
    assert agreeing(x, x.copy(), None).all()
    assert list(agreeing(x, np.array([-0.0, np.nextafter(np.float32(1), np.float32(2)), 1.0], np.float32), None)) == [
        False, False, False,
    ]  # fmt: skip


def test_the_sign_of_a_zero_with_0_added_is_open() -> None:
    """x + 0 may be simplified to x, and 0 - x to -x."""
    x, zeros = np.array([-0.0, 0.0, 1.0], np.float32), np.zeros(3, np.float32)
    for found, free in (
        (expectation_of(registry["add"], x, zeros), [True, False, False]),
        (expectation_of(registry["sub"], zeros, x), [False, True, False]),
    ):
        bound = found.bounds[found.trial.outputs[0]]
        assert (bound > 0).tolist() == free
        assert (bound <= SIGNIFICANT).all()


def test_the_bits_of_a_zero_are_open_where_its_sign_is() -> None:
    x = np.array([[-0.0, 1.0]], np.float32)
    found = expectation_of(lambda x: registry["bitcast"](registry["sum"](x, axes=(0,)), dtype=dtypes.int32), x)
    assert np.isinf(found.bounds[found.trial.outputs[0]]).tolist() == [[True, False]]


def test_infinite_weights_do_not_meet_what_stands_around_an_image() -> None:
    """0 * inf would be NaN."""
    grad, w = np.ones((1, 1, 4), np.float32), np.array([[[np.inf, 1, 1]]], np.float32)
    options = {"size": (4,), "stride": (1,), "padding": ((1, 1),), "dilation": (1,), "groups": 1}
    found = expectation_of(lambda y, w: registry["conv_input"](y, w, **options), grad, w)
    (node,) = found.trial.outputs
    assert np.isfinite(found.bounds[node]).all()
    right = np.asarray(found.values[node])
    assert right.tolist() == [[[np.inf, np.inf, np.inf, 2.0]]]
    assert not found.differences([right])
    assert found.differences([np.array([[[np.inf, np.inf, np.inf, np.nan]]], np.float32)])


@pytest.mark.parametrize("name", sequences.OPERANDS)
def test_errors_in_recurrent_layers_are_found(name: str) -> None:
    for seed, case in enumerate(cases(registry[name], dtypes.float32, 3)):
        right = [np.array(case.values[node]) for node in case.trial.outputs]
        assert not case.differences(right)
        wrong = right[seed % len(right)]
        if wrong.size:
            wrong.flat[wrong.size // 2] += 0.01 * (1 + np.abs(wrong).max())
            assert case.differences(right)


def test_a_comparison_of_what_is_nearly_equal_is_undecided() -> None:
    x = np.array([1.0, 2.0], np.float32)
    y = np.exp(x)
    found = expectation_of(lambda x, y: registry["lt"](registry["exp"](x), y), x, np.array([y[0], 9.0], np.float32))
    assert list(found.bounds[found.trial.outputs[0]]) == [np.inf, 0.0]


def test_a_place_that_another_element_nearly_takes_is_undecided() -> None:
    x = np.array([[1.0, 1.0, 0.0], [1.0, 2.0, 3.0]], np.float32)
    found = expectation_of(lambda x: registry["argmax"](registry["tanh"](x), axis=1), x)
    assert [one[0] for one in found.bounds[found.trial.outputs[0]]] == [np.inf, 0.0]


def test_division_by_what_may_be_0_is_undecided() -> None:
    x = np.array([1.0, 2.0], np.float32)
    less = lambda x: registry["sub"](registry["exp"](x), registry["exp"](registry["copy"](x)))  # noqa: E731
    found = expectation_of(lambda x: registry["div"](x, less(x)), x)
    assert np.isinf(found.bounds[found.trial.outputs[0]]).all()


def test_sums_are_judged_by_the_sizes_of_their_terms() -> None:
    x = np.array([1e6, -1e6, 1.0, 0.5], np.float32)
    found = expectation_of(lambda x: registry["sum"](x, axes=(0,)), x)
    (bound,) = found.bounds[found.trial.outputs[0]]
    assert 0.1 < bound < 4


def test_freedoms_widen_bounds() -> None:
    x = np.array([1.1, 2.3], np.float32)
    found = expectation_of(lambda x: registry["add"](registry["mul"](x, x), x), x)
    wider = bounds_of(found.trial.outputs, found.values, Freedoms(contraction=True))
    assert found.bounds[found.trial.outputs[0]] is None
    assert (wider[found.trial.outputs[0]] > 0).all()


# --- shrinking ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["last k of products lost", "slices off by one", "where with branches swapped"])
def test_the_single_op_that_is_wrong_is_named(name: str) -> None:
    under = engine(name)
    failing = next(random_program(seed) for seed in range(ENOUGH) if faults_of(random_program(seed), under))
    smallest = shrunk(failing, lambda one: faults_of(one, under))
    assert smallest.trial.size == 1
    assert smallest.trial.outputs[0].op.name in COMPUTED[name]


def test_a_pair_that_is_wrong_only_together_is_found() -> None:
    under = Engine("fusion", KEPT["mul into tanh fused wrongly"])
    failing = next(random_program(seed) for seed in range(ENOUGH) if faults_of(random_program(seed), under))
    smallest = shrunk(failing, lambda one: faults_of(one, under))
    names = sorted(
        line.split(" = ")[1].split("(")[0] for line in described(smallest.trial).split("\n") if " = " in line
    )
    assert names in (["leaf", "leaf", "mul", "tanh"], ["leaf", "mul", "tanh"])


# --- the command -------------------------------------------------------------------------------------------


def test_the_command_fails_for_a_fault_and_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [
        "--engine",
        "sub with operands swapped",
        "--only",
        "binary",
        "--programs",
        "20",
        "--minimise",
        "--most",
        "1",
    ]
    assert command.main(wrong) == 1
    told = capsys.readouterr().out
    assert "in its smallest part" in told
    assert "= sub(" in told


def test_the_command_succeeds_for_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--engine", "reference", "--programs", "10", "--threads", "1,2"]) == 0
    assert "10 trials" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "told"), [("dies", "the process died"), ("never ends", "no end was seen")])
def test_an_engine_that_takes_its_process_along_is_told_of(name: str, told: str) -> None:
    total = running.run(running.Task(engine=name, timeout=5.0), running.jobs(2, 0, 0, []))
    assert [one.name for one in total.failures] == ["seed 0", "seed 1"]
    assert all(told in one.faults[0] for one in total.failures)


def test_the_reference_is_what_programs_expect() -> None:
    found = random_program(3)
    assert not found.differences(reference.compile(found.trial.outputs)(found.trial.leaves))


def test_0_times_what_is_undecided_is_undecided() -> None:
    x = np.array([1.0, 2.0], np.float32)

    def make(x: Node, zero: Node) -> Node:
        less = registry["sub"](registry["exp"](x), registry["exp"](registry["copy"](x)))
        return registry["mul"](zero, registry["div"](x, less))

    found = expectation_of(make, x, np.zeros(2, np.float32))
    assert np.isinf(found.bounds[found.trial.outputs[0]]).all()
