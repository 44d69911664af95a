"""What is said of the sign of values holds, and is said where it counts."""

from __future__ import annotations

import numpy as np
import pytest
from engines.native.graphs import check_close
from engines.native.lowered import leaves

from zerograd.engines.native.ranges import never_negative, never_positive
from zerograd.engines.native.values import form
from zerograd.ir.graph import Node
from zerograd.ops import reduction
from zerograd.ops.elementwise import abs as abs_
from zerograd.ops.elementwise import add, div, exp, mul, neg, sub
from zerograd.ops.movement import expand, permute, reshape


def from_largest(x: Node) -> Node:
    return sub(x, expand(reduction.max(x, axes=(1,)), shape=x.shape))


ARRAY = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32) * 30
FALLING = {
    "-|x|": lambda x: neg(abs_(x)),
    "-x²": lambda x: neg(mul(x, x)),
    "x² (-|x|)": lambda x: mul(mul(x, x), neg(abs_(x))),
    "x - max(x)": from_largest,
    "-|x| - x²": lambda x: sub(neg(abs_(x)), mul(x, x)),
    "(-|x|).T / exp(x)": lambda x: div(permute(neg(abs_(x)), order=(1, 0)), exp(x)),
}
OTHERS = {
    "x": lambda x: x,
    "-x": neg,
    "x - max(x) of the other axis, moved": lambda x: sub(
        x, expand(reshape(reduction.max(x, axes=(1,)), shape=(1, 6)), shape=(6, 6))
    ),
    "max(x) - x": lambda x: neg(from_largest(x)),
    "x² + x": lambda x: add(mul(x, x), x),
    "(-|x|) (-|x|)": lambda x: mul(neg(abs_(x)), neg(abs_(add(x, x)))),
}


@pytest.mark.parametrize("name", FALLING)
def test_never_positive(name: str) -> None:
    (x,) = leaves(ARRAY)
    y = FALLING[name](x)
    assert never_positive(y)
    assert never_negative(neg(y)) is never_positive(neg(neg(y)))
    assert form(exp(y)) == "exp_of_falling"
    check_close([exp(y)], [ARRAY])


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_is_said_of_others(name: str) -> None:
    (x,) = leaves(ARRAY)
    y = OTHERS[name](x)
    assert not never_positive(y)
    assert form(exp(y)) == "exp"


def test_integers_overflow() -> None:
    (x,) = leaves(np.array([2**31 - 1, 5], np.int32))
    assert not never_negative(mul(x, x))


def test_what_is_no_number() -> None:
    array = np.array([[np.inf, 1, -np.inf], [np.nan, 0, 1], [-np.inf, -np.inf, -np.inf], [-1e30, 0, -200]], np.float32)
    (x,) = leaves(array)
    check_close([exp(neg(abs_(x))), exp(from_largest(x))], [array])
