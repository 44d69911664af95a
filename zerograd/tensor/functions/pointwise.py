"""Functions of each element alone."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node, Op
from zerograd.ops import elementwise as ops
from zerograd.ops import parts, rounding, transcendental
from zerograd.ops.source import filled
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import Body, accepts_out, apply, binary, floats, labelled, reading, together, unary
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.arithmetic import two_kinds, written
from zerograd.tensor.functions.named_results import named_result
from zerograd.tensor.functions.refusals import FLOATING, ORDERED, REAL, require


def _float_function(op: Op) -> Body:
    """A body that computes in floats, whatever it gets."""

    def body(x: Node) -> Node:
        return op(floats(x))

    body.__name__ = op.name
    body.__doc__ = f"{op.name} of each element. Source: torch.{op.name}."
    return body


exp, log, sqrt, tanh, sigmoid, sin, cos = (
    unary(_float_function(op)) for op in (ops.exp, ops.log, ops.sqrt, ops.tanh, ops.sigmoid, ops.sin, ops.cos)
)
exp2, expm1, log2, log10, log1p, rsqrt = (
    unary(_float_function(op))
    for op in (
        transcendental.exp2, transcendental.expm1, transcendental.log2, transcendental.log10, transcendental.log1p,
        transcendental.rsqrt,
    )
)  # fmt: skip
tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh = (
    unary(_float_function(op))
    for op in (
        transcendental.tan, transcendental.asin, transcendental.acos, transcendental.atan, transcendental.sinh,
        transcendental.cosh, transcendental.asinh, transcendental.acosh, transcendental.atanh,
    )
)  # fmt: skip


@reading
@labelled("ReluBackward0")
def _relu(x: Node) -> Node:
    """max(x, 0) of each element. Source: torch.relu."""
    if x.dtype is dtypes.bool_:
        raise errors.runtime("relu has no meaning for bools", input=x.type, hint="use .float()")
    require("relu", x, REAL)
    return ops.relu(x)


relu = unary(_relu)

# --- rounding ------------------------------------------------------------------------------------------


def _rounding(op: Op) -> Body:
    """A body that leaves integers as they are."""

    def body(x: Node) -> Node:
        require(op.name, x, REAL)
        return op(x) if x.dtype.is_inexact else ops.copy(x)

    body.__name__ = op.name
    body.__doc__ = f"{op.name} of each element. Source: torch.{op.name}."
    return body


floor, ceil, trunc, _round = (
    unary(_rounding(op)) for op in (rounding.floor, rounding.ceil, rounding.trunc, rounding.round)
)


@labelled("RoundBackward1")
def _round_decimals(x: Node, decimals: int) -> Node:
    require("round", x, FLOATING)
    power = filled(10.0 ** abs(decimals), x.type)
    if decimals > 0:
        return ops.div(rounding.round(ops.mul(x, power)), power)
    return ops.mul(rounding.round(ops.div(x, power)), power)


def round(input: Any, *, decimals: int = 0, out: Any = None) -> Any:
    """To the nearest whole number (halves to the even one), or to ``decimals`` places. Source: torch.round."""
    if decimals == 0:
        return _round(input, out=out)
    return written("round", apply(_round_decimals, (input,), (decimals,)), out)


def _frac(x: Node) -> Node:
    """``input - trunc(input)``. Source: torch.frac."""
    require("frac", x, FLOATING)
    return ops.sub(x, rounding.trunc(x))


frac = unary(_frac)

# --- bounds --------------------------------------------------------------------------------------------


def _bounded(x: Node, low: Node | None, high: Node | None, allowed: Container[dtype]) -> Node:
    x, *bounds = together("clamp", *[one for one in (x, low, high) if one is not None])
    require("clamp", x, allowed)
    op = ops.clamp_max if low is None else ops.clamp_min if high is None else ops.clamp
    return op(x, *bounds)


@labelled("ClampBackward1")
def _clamp(x: Node, low: Node | None, high: Node | None) -> Node:
    return _bounded(x, low, high, REAL)


@labelled("ClampBackward0")
def _clamp_tensors(x: Node, low: Node | None, high: Node | None) -> Node:
    return _bounded(x, low, high, ORDERED)


def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """``input`` brought into [min, max]; either bound may be missing. Source: torch.clamp.

    Raises:
        RuntimeError: both bounds are missing.
        TypeError: one is a number and the other a tensor.
    """
    as_tensor_argument("clamp", "input", input)
    if min is None and max is None:
        raise errors.runtime("clamp needs a bound: min, max or both", input=input._type)
    kinds = {isinstance(bound, TensorBase) for bound in (min, max) if bound is not None}
    if len(kinds) > 1:
        raise errors.type_("clamp(): min and max must both be numbers or both be tensors", min=min, max=max)
    return written("clamp", apply(_clamp_tensors if kinds.pop() else _clamp, (input, min, max)), out)


def _clamp_min(x: Node, y: Node) -> Node:
    return _bounded(x, y, None, REAL if y.type.weak else ORDERED)


def _clamp_max(x: Node, y: Node) -> Node:
    return _bounded(x, None, y, REAL if y.type.weak else ORDERED)


_clamp_min_two, _clamp_max_two = two_kinds(_clamp_min), two_kinds(_clamp_max)


def clamp_min(input: Any, min: Any, *, out: Any = None) -> Any:
    """``input`` where it is larger than ``min``, else ``min``. Source: torch.clamp_min."""
    return _clamp_min_two(input, min, out=out)


def clamp_max(input: Any, max: Any, *, out: Any = None) -> Any:
    """``input`` where it is smaller than ``max``, else ``max``. Source: torch.clamp_max."""
    return _clamp_max_two(input, max, out=out)


def _extreme(op: Op) -> Body:
    def body(x: Node, y: Node) -> Node:
        x, y = together(op.name, x, y)
        require(op.name, x, ORDERED)
        return op(x, y)

    body.__name__ = op.name
    body.__doc__ = f"{op.name} of two tensors, element by element. Source: torch.{op.name}."
    return body


maximum, minimum, fmax, fmin = (
    binary(_extreme(op), left=False, right=False) for op in (ops.maximum, ops.minimum, ops.fmax, ops.fmin)
)


def _largest(kind: dtype) -> float:
    return float(kind.limits.max)


@labelled("NanToNumBackward0")
def _nan_to_num(x: Node, nan: float | None, posinf: float | None, neginf: float | None) -> Node:
    if not x.dtype.is_inexact:
        return ops.copy(x)
    if x.dtype.is_complex:
        real, imag = (_nan_to_num(part, nan, posinf, neginf) for part in (parts.real(x), parts.imag(x)))
        return parts.complex_(real, imag)
    infinite = filled(math.inf, x.type)
    high = filled(_largest(x.dtype) if posinf is None else posinf, x.type)
    low = filled(-_largest(x.dtype) if neginf is None else neginf, x.type)
    x = ops.where(ops.eq(x, infinite), high, ops.where(ops.eq(x, ops.neg(infinite)), low, x))
    return ops.where(ops.ne(x, x), filled(nan or 0.0, x.type), x)


@accepts_out
def nan_to_num(input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Any:
    """NaN and the infinities replaced: by 0 and the dtype's extreme numbers by default. Source: torch.nan_to_num."""
    return apply(_nan_to_num, (input,), (nan, posinf, neginf))


# --- two operands --------------------------------------------------------------------------------------


def _float_pair(op: Op, allowed: frozenset[Any] | None = None) -> Body:
    """A body of two operands that computes in floats; only in those of ``allowed`` if given."""

    def body(x: Node, y: Node) -> Node:
        x, y = together(op.name, x, y, inexact=allowed is None)
        require(op.name, x, allowed or FLOATING)
        return op(x, y)

    body.__name__ = op.name
    body.__doc__ = f"{op.name} of two tensors, element by element. Source: torch.{op.name}."
    return body


_INEXACT = frozenset(dtypes.ALL[6:])
atan2 = binary(_float_pair(transcendental.atan2), left=False, right=False)
copysign = two_kinds(_float_pair(rounding.copysign), number="CopysignBackward1", tensor="CopysignBackward0")
hypot, nextafter, logaddexp2 = (
    binary(_float_pair(op, FLOATING), left=False, right=False)
    for op in (transcendental.hypot, rounding.nextafter, transcendental.logaddexp2)
)
logaddexp = binary(_float_pair(transcendental.logaddexp, _INEXACT), left=False, right=False)


@labelled("NotImplemented")
def _heaviside(x: Node, y: Node) -> Node:
    """0 for negative numbers, 1 for positive ones, ``values`` for 0. Source: torch.heaviside."""
    if x.dtype is not y.dtype:
        raise errors.runtime("heaviside needs operands of one dtype", input=x.type, values=y.type)
    require("heaviside", x, ORDERED)
    return rounding.heaviside(*together("heaviside", x, y))


_heaviside_two = binary(_heaviside, left=False, right=False)


def heaviside(input: Any, values: Any, *, out: Any = None) -> Any:
    """0 for negative numbers, 1 for positive ones, ``values`` for 0. Source: torch.heaviside."""
    return _heaviside_two(input, values, out=out)


def _ldexp(x: Node, y: Node) -> Node:
    """``input * 2 ** other``. Source: torch.ldexp."""
    x, y = together("ldexp", floats(x), y)
    return ops.mul(x, transcendental.exp2(y))


ldexp = binary(_ldexp, left=False, right=False)


Frexp = named_result("frexp", "mantissa exponent")


def _frexp(x: Node) -> tuple[Node, Node]:
    require("frexp", x, FLOATING)
    return rounding.frexp(x)


def frexp(input: Any, *, out: Any = None) -> Any:
    """``mantissa * 2 ** exponent`` with 0.5 <= |mantissa| < 1. Source: torch.frexp."""
    result = Frexp(apply(_frexp, (input,)))
    return result if out is None else Frexp([written("frexp", *pair) for pair in zip(result, out, strict=True)])


# --- transformations -------------------------------------------------------------------------------------


def _deg2rad(x: Node) -> Node:
    """Degrees to radians. Source: torch.deg2rad."""
    require("deg2rad", x, ORDERED)
    return ops.times(floats(x), math.pi / 180)


def _rad2deg(x: Node) -> Node:
    """Radians to degrees. Source: torch.rad2deg."""
    require("rad2deg", x, ORDERED)
    return ops.times(floats(x), 180 / math.pi)


deg2rad, rad2deg = unary(_deg2rad), unary(_rad2deg)


def _logit(x: Node, eps: float | None) -> Node:
    x = floats(x)
    require("logit", x, FLOATING)
    if eps is not None:
        x = ops.clamp(x, filled(eps, x.type), filled(1 - eps, x.type))
    return transcendental.logit(x)


@accepts_out
def logit(input: Any, eps: float | None = None) -> Any:
    """log(p / (1 - p)), with p brought into [eps, 1 - eps] if ``eps`` is given. Source: torch.logit."""
    return apply(_logit, (input,), (eps,))


arcsin, arccos, arctan, arcsinh, arccosh, arctanh, arctan2 = asin, acos, atan, asinh, acosh, atanh, atan2
fix, clip = trunc, clamp

METHODS = {
    "acos": acos, "acosh": acosh, "arccos": acos, "arccosh": acosh, "arcsin": asin, "arcsinh": asinh, "arctan": atan,
    "arctan2": atan2, "arctanh": atanh, "asin": asin, "asinh": asinh, "atan": atan, "atan2": atan2, "atanh": atanh,
    "ceil": ceil, "clamp": clamp, "clamp_max": clamp_max, "clamp_min": clamp_min, "clip": clamp, "copysign": copysign,
    "cos": cos, "cosh": cosh, "deg2rad": deg2rad, "exp": exp, "exp2": exp2, "expm1": expm1, "fix": trunc,
    "floor": floor, "frac": frac, "heaviside": heaviside, "hypot": hypot, "ldexp": ldexp, "log": log, "log10": log10,
    "log1p": log1p, "log2": log2, "logit": logit, "nan_to_num": nan_to_num, "nextafter": nextafter,
    "rad2deg": rad2deg, "relu": relu, "round": round, "rsqrt": rsqrt, "sigmoid": sigmoid, "sin": sin, "sinh": sinh,
    "sqrt": sqrt, "tan": tan, "tanh": tanh, "trunc": trunc,
}  # fmt: skip
IN_PLACE = tuple(METHODS)
METHODS |= {
    "fmax": fmax, "frexp": frexp, "fmin": fmin, "logaddexp": logaddexp, "logaddexp2": logaddexp2,
    "maximum": maximum, "minimum": minimum,
}  # fmt: skip
