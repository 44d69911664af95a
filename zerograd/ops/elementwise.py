"""Ops that treat each element alone: the kinds of such ops, arithmetic, comparison and choice.

Operands have equal shapes and dtypes here: broadcasting and promotion happen once, at the door
(``tensor/door.py``), so no rule below has to undo them. Functions of one variable stand in ``transcendental``,
rounding in ``rounding``, operations on bits in ``bitwise``, parts of complex numbers in ``parts``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array, Node, Op, Rule, TensorType
from zerograd.ops.source import filled, ones_like, zeros_like

Reference = Callable[..., Any]


def is_half(x: Any) -> bool:
    """Whether an array has 16-bit floats."""
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def in_single(reference: Reference) -> Reference:
    """Half precision computed in float32 and rounded once, as PyTorch does."""

    @functools.wraps(reference)
    def wide(*xs: Any, **attributes: Any) -> Any:
        if not is_half(xs[-1]):
            return reference(*xs, **attributes)
        half = xs[-1].dtype
        out = reference(*[x.astype(np.float32) if is_half(x) else x for x in xs], **attributes)
        return out.astype(half) if out.dtype == np.float32 else out

    return wide


def unary(
    name: str,
    reference: Reference,
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
    reference: Reference,
    gradient: tuple[Rule | None, Rule | None] | None = None,
    domain: tuple[float, float] = (-2, 2),
) -> Op:
    """An op ``(x, y) -> their common type``."""
    return Op(name, lambda x, y: same(name, x, y), reference, gradient, domain, elementwise=True)


def predicate(name: str, reference: Reference, inputs: int) -> Op:
    """An op whose result is True or False."""
    if inputs == 1:
        return Op(name, lambda x: x.with_dtype(dtypes.bool_), reference, elementwise=True)
    return Op(name, lambda x, y: same(name, x, y).with_dtype(dtypes.bool_), reference, elementwise=True)


def flat(grad: Node) -> Node:
    """The gradient of a function that is constant between its jumps."""
    return zeros_like(grad)


def times(x: Node, factor: complex) -> Node:
    return mul(x, filled(factor, x.type))


def plus(x: Node, term: float) -> Node:
    return add(x, filled(term, x.type))


# --- change of type ------------------------------------------------------------------------------


def _reference_cast(x: Any, *, dtype: dtype) -> Array:
    x = np.asarray(x)
    if x.dtype.kind == "c" and dtype.category < dtypes.COMPLEX:
        x = x.real if dtype is not dtypes.bool_ else x
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


copy = unary("copy", lambda x: x, lambda grad: grad)
"""The same value as a node of its own: for functions that have nothing to compute."""

# --- arithmetic ----------------------------------------------------------------------------------

neg = unary("neg", np.negative, lambda grad: neg(grad))
add = binary("add", np.add, (lambda grad: grad, lambda grad: grad))
sub = binary("sub", np.subtract, (lambda grad: grad, lambda grad: neg(grad)))
mul = binary("mul", np.multiply, (lambda grad, y: mul(grad, conj(y)), lambda grad, x: mul(grad, conj(x))))
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
    "reciprocal",
    lambda x: np.reciprocal(x),
    lambda grad, out: neg(mul(grad, conj(mul(out, out)))),
    domain=(0.5, 2),
)
square = unary("square", np.square, lambda grad, x: mul(grad, conj(times(x, 2))))


def conj(x: Node) -> Node:
    """The complex conjugate; a real value is its own."""
    return conjugate(x) if x.type.dtype.is_complex else x


conjugate = unary("conjugate", np.conjugate, lambda grad: conjugate(grad))


def _reference_lerp(x: Array, y: Array, weight: Array) -> Array:
    """From the nearer end, so that both ends are met exactly."""
    distance = y - x
    size = np.abs(weight)
    return np.where(size < 0.5, x + weight * distance, y - distance * (1 - weight))


lerp = Op(
    "lerp",
    lambda x, y, weight: same("lerp", x, y, weight),
    in_single(_reference_lerp),
    (
        lambda grad, weight: mul(grad, conj(sub(ones_like(weight), weight))),
        lambda grad, weight: mul(grad, conj(weight)),
        lambda grad, x, y: mul(grad, conj(sub(y, x))),
    ),
    elementwise=True,
)
"""x + weight * (y - x)"""


def _reference_pow(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu":
        out = np.power(x, np.maximum(y, 0))
        if x.dtype.kind == "i":  # x to a negative power is 0 unless x is 1 or -1
            inverse = np.where(x == 1, 1, np.where(x == -1, np.where(y % 2 == 0, 1, -1), 0)).astype(x.dtype)
            out = np.where(y < 0, inverse, out)
        return out
    return np.power(x, y)


def _pow_gradient_x(grad: Node, x: Node, y: Node) -> Node:
    slope = mul(y, pow(x, plus(y, -1)))
    return where(eq(y, zeros_like(y)), zeros_like(grad), mul(grad, conj(slope)))


def _pow_gradient_y(grad: Node, x: Node, y: Node, out: Node) -> Node:
    """out * log(x), which is 0 for 0 to a power that is not negative."""
    zero = zeros_like(x)
    positive = ge(cast(y, dtype=y.dtype.to_real()), zeros_like(cast(y, dtype=y.dtype.to_real())))
    vanishing = where(eq(x, zero), positive, zeros_like(positive))
    return where(vanishing, zeros_like(grad), mul(grad, conj(mul(out, log(x)))))


pow = binary("pow", in_single(_reference_pow), (_pow_gradient_x, _pow_gradient_y), domain=(0.5, 2))

# --- exponentials and roots ------------------------------------------------------------------------

exp = unary("exp", np.exp, lambda grad, out: mul(grad, conj(out)))
log = unary("log", np.log, lambda grad, x: div(grad, conj(x)), domain=(0.1, 4))
sqrt = unary("sqrt", np.sqrt, lambda grad, out: div(grad, conj(times(out, 2))), domain=(0.1, 4))
tanh = unary("tanh", np.tanh, lambda grad, out: mul(grad, conj(sub(ones_like(out), mul(out, out)))))
sin = unary("sin", np.sin, lambda grad, x: mul(grad, conj(cos(x))), domain=(-10, 10))
cos = unary("cos", np.cos, lambda grad, x: neg(mul(grad, conj(sin(x)))), domain=(-10, 10))


def _reference_sigmoid(x: Array) -> Array:
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), small) / (1 + small)


sigmoid = unary(
    "sigmoid",
    in_single(_reference_sigmoid),
    lambda grad, out: mul(grad, conj(mul(out, sub(ones_like(out), out)))),
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

relu = unary("relu", lambda x: np.maximum(x, 0), lambda grad, out: zeroed_where(le(out, zeros_like(out)), grad))


def kept_where(condition: Node, x: Node) -> Node:
    """``x`` where the condition holds, elsewhere 0."""
    return where(condition, x, zeros_like(x))


def zeroed_where(condition: Node, x: Node) -> Node:
    """0 where the condition holds, elsewhere ``x``."""
    return where(condition, zeros_like(x), x)


def _sign_gradient(grad: Node, x: Node, out: Node) -> Node:
    """0, but for complex numbers the turn of x / |x|, which has no radial part."""
    if not x.dtype.is_complex:
        return zeros_like(grad)
    size = cast(abs(x), dtype=x.dtype)
    turn = div(sub(grad, mul(mul(out, out), conj(grad))), times(size, 2))
    return zeroed_where(eq(size, zeros_like(size)), turn)


def _reference_sign(x: Array) -> Array:
    if x.dtype.kind == "b":
        return x
    out = np.sign(x)
    return out if x.dtype.kind in "iuc" else np.where(np.isnan(x), x.dtype.type(0), out)


sign = unary("sign", _reference_sign, _sign_gradient)
"""-1, 0 or 1, also for NaN 0; x / |x| for complex numbers."""


def _abs_gradient(grad: Node, x: Node) -> Node:
    return mul(convert(grad, x.dtype), sign(x))


abs = Op("abs", lambda x: x.with_dtype(x.dtype.to_real()), np.abs, _abs_gradient, elementwise=True)


def _larger_gradient(loses: Callable[[Node, Node], Node]) -> tuple[Rule, Rule]:
    """The winner gets the gradient, equal operands get half of it."""

    def share(grad: Node, mine: Node, other: Node) -> Node:
        tied = where(eq(mine, other), times(grad, 0.5), grad)
        return zeroed_where(loses(mine, other), tied)

    return (lambda grad, x, y: share(grad, x, y), lambda grad, x, y: share(grad, y, x))


maximum = binary("maximum", np.maximum, _larger_gradient(lambda mine, other: lt(mine, other)))
minimum = binary("minimum", np.minimum, _larger_gradient(lambda mine, other: gt(mine, other)))


def _numbers_only_gradient(wins: Callable[[Node, Node], Node]) -> tuple[Rule, Rule]:
    """The first operand is chosen where it wins or the second is NaN."""

    def first(x: Node, y: Node) -> Node:
        return either(ne(y, y), wins(x, y))

    return (
        lambda grad, x, y: kept_where(first(x, y), grad),
        lambda grad, x, y: zeroed_where(first(x, y), grad),
    )


fmax = binary("fmax", np.fmax, _numbers_only_gradient(lambda x, y: ge(x, y)))
fmin = binary("fmin", np.fmin, _numbers_only_gradient(lambda x, y: le(x, y)))


def both(a: Node, b: Node) -> Node:
    """Where two conditions hold."""
    return where(a, b, zeros_like(b))


def either(a: Node, b: Node) -> Node:
    """Where at least one of two conditions holds."""
    return where(a, a, b)


clamp_min = binary(
    "clamp_min",
    np.maximum,
    (lambda grad, x, y: kept_where(ge(x, y), grad), lambda grad, x, y: kept_where(lt(x, y), grad)),
)
"""max(x, y), whose gradient goes to x alone where they are equal."""

clamp_max = binary(
    "clamp_max",
    np.minimum,
    (lambda grad, x, y: kept_where(le(x, y), grad), lambda grad, x, y: kept_where(gt(x, y), grad)),
)
"""min(x, y), whose gradient goes to x alone where they are equal."""

clamp = Op(
    "clamp",
    lambda x, low, high: same("clamp", x, low, high),
    lambda x, low, high: np.minimum(np.maximum(x, low), high),
    (
        lambda grad, x, low, high: kept_where(both(ge(x, low), le(x, high)), grad),
        lambda grad, x, low, high: kept_where(both(lt(x, low), lt(low, high)), grad),
        lambda grad, x, low, high: kept_where(either(gt(x, high), lt(high, low)), grad),
    ),
    elementwise=True,
)
"""min(max(x, low), high)"""

# --- history ---------------------------------------------------------------------------------------

stop = Op("stop", lambda x: x, lambda x: x, elementwise=True)
"""The value without its history: what ``detach()`` reads."""

graft = Op("graft", lambda x, history: x, lambda x, history: x, (None, lambda grad: grad))
"""The value of ``x`` with the history of ``history``: a write without gradients to a value that has a history."""

attach = Op(
    "attach",
    lambda x, history: x,
    lambda x, history: x,
    (lambda grad: grad, lambda grad, history_type: filled(0, history_type)),
)
"""The value of ``x``, which counts as computed from ``history`` too, with derivative 0."""


def refusing(name: str) -> Rule:
    """The rule of a function that PyTorch has no derivative for: asking for one is an error."""

    def rule(grad: Node) -> Node:
        raise NotImplementedError(
            errors.message(f"derivative for {name} is not implemented", hint="detach() its operands to stop gradients")
        )

    return rule


dead_end = Op(
    "dead_end",
    lambda x, *, name: x,
    lambda x, *, name: x,
    lambda grad, name: refusing(name)(grad),
)
"""The value of a function that PyTorch has no derivative for, where the function is made of others."""
