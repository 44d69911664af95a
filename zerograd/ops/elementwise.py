"""Ops that treat each element alone.

Operands have equal shapes and dtypes here: broadcasting and promotion happen once, at the door
(``tensor/functions/door.py``), so no rule below has to undo them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array, Node, Op, Rule, TensorType
from zerograd.ops.source import filled, ones_like, zeros_like


def unary(
    name: str,
    reference: Callable[[Array], Array],
    gradient: Rule | None = None,
    domain: tuple[float, float] = (-2, 2),
) -> Op:
    """An op ``x -> same type``."""
    return Op(name, lambda x: x, reference, gradient, domain, elementwise=True)


def same(name: str, *types: TensorType) -> TensorType:
    if any(type is not types[0] for type in types):
        raise errors.runtime(f"{name} needs operands of one type", operands=", ".join(map(str, types)))
    return types[0]


def binary(
    name: str,
    reference: Callable[[Array, Array], Array],
    gradient: tuple[Rule | None, Rule | None] | None = None,
    domain: tuple[float, float] = (-2, 2),
) -> Op:
    """An op ``(x, y) -> their common type``."""
    return Op(name, lambda x, y: same(name, x, y), reference, gradient, domain, elementwise=True)


def predicate(name: str, reference: Callable[..., Array], inputs: int) -> Op:
    """An op whose result is True or False."""
    if inputs == 1:
        return Op(name, lambda x: x.with_dtype(dtypes.bool_), reference, elementwise=True)
    return Op(name, lambda x, y: same(name, x, y).with_dtype(dtypes.bool_), reference, elementwise=True)


# --- change of type ------------------------------------------------------------------------------


def _reference_cast(x: Any, *, dtype: dtype) -> Array:
    x = np.asarray(x)
    if x.dtype.kind == "c" and dtype.category < dtypes.COMPLEX:
        x = x.real
    if x.dtype.kind == "f" and dtype.category == dtypes.INTEGER and dtype is not dtypes.int64:
        x = np.nan_to_num(x, nan=0.0).astype(np.int64)  # wraps around, as C does through int64
    return x.astype(dtype.numpy)


def _cast_gradient(grad: Node, x_type: TensorType) -> Node | None:
    return cast(grad, dtype=x_type.dtype) if x_type.dtype.is_inexact else None


cast = Op(
    "cast",
    lambda x, *, dtype: TensorType(x.shape, dtype),
    _reference_cast,
    _cast_gradient,
    elementwise=True,
)


def convert(x: Node, dtype: dtype) -> Node:
    """``x`` in another dtype; itself if it has that dtype."""
    return x if x.type.dtype is dtype and not x.type.weak else cast(x, dtype=dtype)


# --- arithmetic ----------------------------------------------------------------------------------

neg = unary("neg", np.negative, lambda grad: neg(grad))
add = binary("add", np.add, (lambda grad: grad, lambda grad: grad))
sub = binary("sub", np.subtract, (lambda grad: grad, lambda grad: neg(grad)))
mul = binary(
    "mul", np.multiply, (lambda grad, y: mul(grad, conj(y)), lambda grad, x: mul(grad, conj(x)))
)
div = binary(
    "div",
    np.true_divide,
    (
        lambda grad, y: div(grad, conj(y)),
        lambda grad, x, y: neg(mul(grad, conj(div(div(x, y), y)))),
    ),
    domain=(0.5, 2),
)
reciprocal = unary(
    "reciprocal", lambda x: np.reciprocal(x), lambda grad, out: neg(mul(grad, conj(mul(out, out)))), domain=(0.5, 2)
)
square = unary("square", np.square, lambda grad, x: mul(grad, conj(mul(filled(2, x.type), x))))


def conj(x: Node) -> Node:
    """The complex conjugate; a real value is its own."""
    return conjugate(x) if x.type.dtype.is_complex else x


conjugate = unary("conjugate", np.conjugate, lambda grad: conjugate(grad))

# --- exponentials and roots ------------------------------------------------------------------------

exp = unary("exp", np.exp, lambda grad, out: mul(grad, conj(out)))
log = unary("log", np.log, lambda grad, x: div(grad, conj(x)), domain=(0.1, 4))
sqrt = unary("sqrt", np.sqrt, lambda grad, out: div(grad, conj(mul(filled(2, out.type), out))), domain=(0.1, 4))
tanh = unary("tanh", np.tanh, lambda grad, out: mul(grad, conj(sub(ones_like(out), mul(out, out)))))
sin = unary("sin", np.sin, lambda grad, x: mul(grad, conj(cos(x))), domain=(-10, 10))
cos = unary("cos", np.cos, lambda grad, x: neg(mul(grad, conj(sin(x)))), domain=(-10, 10))


def _reference_sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x)) if x.dtype.kind != "c" else np.exp(-x)
    if x.dtype.kind == "c":
        return 1 / (1 + small)
    return np.where(x >= 0, 1, small).astype(x.dtype) / (1 + small)


sigmoid = unary(
    "sigmoid", _reference_sigmoid, lambda grad, out: mul(grad, conj(mul(out, sub(ones_like(out), out))))
)

# --- comparison and choice -------------------------------------------------------------------------

eq = predicate("eq", np.equal, 2)
ne = predicate("ne", np.not_equal, 2)
lt = predicate("lt", np.less, 2)
le = predicate("le", np.less_equal, 2)
gt = predicate("gt", np.greater, 2)
ge = predicate("ge", np.greater_equal, 2)


def _infer_where(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if condition.dtype is not dtypes.bool_ or condition.shape != x.shape:
        raise errors.runtime("where needs a boolean condition of the operands' shape", condition=condition, x=x)
    return same("where", x, y)


where = Op(
    "where",
    _infer_where,
    np.where,
    (
        None,
        lambda grad, condition: where(condition, grad, zeros_like(grad)),
        lambda grad, condition: where(condition, zeros_like(grad), grad),
    ),
    elementwise=True,
)

relu = unary("relu", lambda x: np.maximum(x, 0), lambda grad, out: where(gt(out, zeros_like(out)), grad, zeros_like(grad)))


# --- history ---------------------------------------------------------------------------------------

stop = Op("stop", lambda x: x, lambda x: x, elementwise=True)
"""The value without its history: what ``detach()`` reads."""

graft = Op("graft", lambda x, history: x, lambda x, history: x, (None, lambda grad: grad))
"""The value of ``x`` with the history of ``history``: a write without gradients to a value that has a history."""
