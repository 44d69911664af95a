"""Graphs that are not well formed are found."""

from __future__ import annotations

import pytest
from passes.expressions import an_input

from zerograd import dtypes
from zerograd.ir.graph import Node, TensorType
from zerograd.ops.elementwise import add, copy, exp, tanh
from zerograd.passes.verify import verify

a = an_input(0, (2, 3))


def made(op: object, *inputs: Node, type: TensorType = a.type) -> Node:
    return Node(op, inputs, {}, type, False)  # pyright: ignore[reportArgumentType]


def test_a_well_formed_graph_passes() -> None:
    verify((tanh(a),), (made(tanh, a),))


def test_outputs_of_another_type_are_found() -> None:
    with pytest.raises(AssertionError, match="other types"):
        verify((tanh(a),), (an_input(0, (3, 2)),))


def test_a_wrong_type_is_found() -> None:
    wrong = made(tanh, a, type=TensorType((2, 3), dtypes.float32))
    with pytest.raises(AssertionError, match="another type"):
        verify((tanh(a),), (made(add, a, made(exp, wrong)),))


def test_bookkeeping_is_found() -> None:
    with pytest.raises(AssertionError, match="bookkeeping"):
        verify((copy(a),), (copy(a),))


def test_a_computation_that_is_there_twice_is_found() -> None:
    with pytest.raises(AssertionError, match="twice"):
        verify((add(a, a),), (made(add, made(tanh, a), made(tanh, a)),))


def test_a_new_leaf_is_found() -> None:
    with pytest.raises(AssertionError, match="new leaf"):
        verify((tanh(a),), (made(tanh, an_input(1, (2, 3))),))


def test_a_circle_is_found() -> None:
    one = made(tanh, a)
    other = made(exp, one)
    one.inputs = (other,)
    with pytest.raises(AssertionError, match="uses itself"):
        verify((tanh(a),), (other,))
