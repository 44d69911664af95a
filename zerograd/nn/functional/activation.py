"""Activation functions: of each element alone, and gates that halve a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors, shapes
from zerograd.ir.graph import Node, TensorType
from zerograd.ops import activation as ops
from zerograd.ops import elementwise as ew
from zerograd.ops.elementwise import gt, le, mul, neg, plus, times, where, zeroed_where
from zerograd.ops.movement import narrow
from zerograd.ops.source import filled, zeros_like
from zerograd.ops.transcendental import expm1
from zerograd.runtime import random
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, floats, in_place, labelled, reading
from zerograd.tensor.functions import pointwise
from zerograd.tensor.functions.arguments import as_tensor_argument
from zerograd.tensor.functions.refusals import FLOATING, INEXACT, NUMBERS, REAL, require, unsupported

SELU_ALPHA = 1.6732632423543772848170429916717  # so that layers keep mean 0 and variance 1
SELU_SCALE = 1.0507009873554804934193349852946


def _applied(body: Any, input: Any, *statics: Any) -> Any:
    return apply(body, (as_tensor_argument(body.__name__.strip("_"), "input", input),), statics)


# --- rectifiers --------------------------------------------------------------------------------------------


def _confine(x: Node, low: float, high: float) -> Node:
    """Clamped to [low, high], without gradient at the bounds themselves."""
    bottom, top = filled(low, x.type), filled(high, x.type)
    return where(le(x, bottom), bottom, where(ew.ge(x, top), top, x))


@reading
@labelled("HardtanhBackward0")
def _hardtanh(x: Node, low: float, high: float) -> Node:
    if x.dtype is dtypes.bool_:
        raise errors.runtime("hardtanh: bool inputs are not supported", input=x.type)
    if x.dtype is dtypes.uint8 and low < 0:
        raise errors.runtime("hardtanh: an unsigned type cannot have negative limits", input=x.type, min_val=low)
    require("hardtanh", x, REAL)
    if not x.dtype.is_inexact:
        low, high = int(low), int(high)
    return _confine(x, low, high)


@reading
def _relu6(x: Node) -> Node:
    return _hardtanh(x, 0.0, 6.0)


_relu6.label = "HardtanhBackward0"  # pyright: ignore[reportFunctionMemberAccess]


@reading
@labelled("ThresholdBackward0")
def _threshold(x: Node, threshold: float, value: float) -> Node:
    require("threshold", x, REAL)
    return where(le(x, filled(threshold, x.type)), filled(value, x.type), x)


@reading
@labelled("LeakyReluBackward0")
def _leaky_relu(x: Node, slope: float) -> Node:
    require("leaky_relu", x, FLOATING)
    return where(gt(x, zeros_like(x)), x, times(x, slope))


@labelled("EluBackward0")
def _elu(x: Node, alpha: float, scale: float, rate: float) -> Node:
    """scale * x where x > 0, else scale * alpha * (exp(rate * x) - 1)."""
    require("elu", x, FLOATING)
    positive = gt(x, zeros_like(x))
    below = times(expm1(times(zeroed_where(positive, x), rate)), scale * alpha)  # never of a large number
    return where(positive, times(x, scale), below)


@labelled("CeluBackward0")
def _celu(x: Node, alpha: float) -> Node:
    if alpha == 0:
        raise errors.runtime("celu: alpha cannot be 0 (it divides the input)")
    return _elu(x, alpha, 1.0, 1 / alpha)


def relu6(input: Any, inplace: bool = False) -> Any:
    """min(max(x, 0), 6). Source: torch.nn.functional.relu6."""
    return _relu6_(input) if inplace else _applied(_relu6, input)


_relu6_ = in_place(relu6)


def relu(input: Any, inplace: bool = False) -> Any:
    """max(x, 0). Source: torch.nn.functional.relu."""
    return relu_(input) if inplace else pointwise.relu(input)


relu_ = in_place(pointwise.relu)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """min(max(x, min_val), max_val).

    Raises:
        ValueError: min_val > max_val.
    Source: torch.nn.functional.hardtanh.
    """
    if min_val > max_val:
        raise errors.value("hardtanh: min_val lies above max_val", min_val=min_val, max_val=max_val)
    if inplace:
        return hardtanh_(input, min_val, max_val)
    return _applied(_hardtanh, input, float(min_val), float(max_val))


hardtanh_ = in_place(hardtanh)


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """x where x > threshold, else ``value``. Source: torch.nn.functional.threshold."""
    if inplace:
        return threshold_(input, threshold, value)
    return _applied(_threshold, input, threshold, value)


threshold_ = in_place(threshold)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where x > 0, else negative_slope * x. Source: torch.nn.functional.leaky_relu."""
    if inplace:
        return leaky_relu_(input, negative_slope)
    return _applied(_leaky_relu, input, float(negative_slope))


leaky_relu_ = in_place(leaky_relu)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where x > 0, else alpha * (exp(x) - 1). Source: torch.nn.functional.elu."""
    return elu_(input, alpha) if inplace else _applied(_elu, input, float(alpha), 1.0, 1.0)


elu_ = in_place(elu)


def selu(input: Any, inplace: bool = False) -> Any:
    """``elu`` scaled so that mean 0 and variance 1 are kept from layer to layer.

    Source: torch.nn.functional.selu.
    """
    return selu_(input) if inplace else _applied(_elu, input, SELU_ALPHA, SELU_SCALE, 1.0)


selu_ = in_place(selu)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0). Source: torch.nn.functional.celu."""
    return celu_(input, alpha) if inplace else _applied(_celu, input, float(alpha))


celu_ = in_place(celu)


@reading
@labelled("RreluWithNoiseBackward0")
def _sloped(x: Node, slopes: Node) -> Node:
    return where(gt(x, zeros_like(x)), x, mul(x, slopes))


def rrelu(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Any:
    """x where x > 0, else x times a slope drawn from [lower, upper) for each element; their mean when evaluating.

    In training the input is computed at once: as in PyTorch, only elements that need a slope draw a number.

    Raises:
        RuntimeError: lower > upper.
    Source: torch.nn.functional.rrelu.
    """
    if inplace:
        return rrelu_(input, lower, upper, training)
    if not lower <= upper:
        raise errors.runtime("rrelu: the lower bound lies above the upper one", lower=lower, upper=upper)
    if not training:
        return _applied(_evaluated_rrelu, input, (lower + upper) / 2)
    if not as_tensor_argument("rrelu", "input", input).dtype.is_floating_point:
        raise unsupported("rrelu", input.dtype)
    below = input._array() <= 0
    slopes = np.ones(below.shape, np.float64)
    slopes[below] = random.uniform(None, (int(below.sum()),), dtypes.float64, lower, upper)
    drawn = TensorBase.of_array(slopes.astype(input.dtype.numpy), TensorType(below.shape, input.dtype))
    return apply(_sloped, (input, drawn))


@reading
@labelled("RreluWithNoiseBackward0")
def _evaluated_rrelu(x: Node, slope: float) -> Node:
    return _leaky_relu(x, slope)


rrelu_ = in_place(rrelu)

# --- smooth steps ------------------------------------------------------------------------------------------


@labelled("GeluBackward0")
def _gelu(x: Node, approximate: str) -> Node:
    require("gelu", x, FLOATING)
    if approximate not in _GELUS:
        raise errors.runtime(f'gelu knows approximate="none" and "tanh", not {approximate!r}')
    return _GELUS[approximate](x)


_GELUS = {"none": ops.gelu, "tanh": ops.gelu_tanh}


@labelled("SiluBackward0")
def _silu(x: Node) -> Node:
    require("silu", x, INEXACT)
    return mul(x, ew.sigmoid(x)) if x.dtype.is_complex else ops.silu(x)


@labelled("MishBackward0")
def _mish(x: Node) -> Node:
    require("mish", x, FLOATING)
    return mul(x, ew.tanh(ops.softplus(x)))


def _ramp(x: Node) -> Node:
    """min(max(x + 3, 0), 6) / 6"""
    return times(_confine(plus(x, 3), 0.0, 6.0), 1 / 6)


@labelled("HardsigmoidBackward0")
def _hardsigmoid(x: Node) -> Node:
    require("hardsigmoid", x, FLOATING)
    return _ramp(x)


@labelled("HardswishBackward0")
def _hardswish(x: Node) -> Node:
    require("hardswish", x, FLOATING)
    return mul(x, _ramp(x))


@labelled("LogSigmoidBackward0")
def _logsigmoid(x: Node) -> Node:
    require("logsigmoid", x, FLOATING)
    return neg(ops.softplus(neg(x)))


@labelled("SoftplusBackward0")
def _softplus(x: Node, beta: float, threshold: float) -> Node:
    require("softplus", x, FLOATING)
    scaled = times(x, beta)
    linear = gt(scaled, filled(threshold, x.type))
    return where(linear, x, times(ops.softplus(scaled), 1 / beta))


@reading
@labelled("SoftshrinkBackward0")
def _softshrink(x: Node, bound: float) -> Node:
    require("softshrink", x, FLOATING)
    if not 0 <= bound <= float(x.dtype.limits.max):
        raise errors.runtime(f"softshrink: lambda must be a number >= 0 in the range of {x.dtype.name}", lambd=bound)
    above, below = gt(x, filled(bound, x.type)), ew.lt(x, filled(-bound, x.type))
    # x - x keeps a NaN
    return where(above, plus(x, -bound), where(below, plus(x, bound), times(x, 0)))


@labelled("SubBackward0")
def _tanhshrink(x: Node) -> Node:
    if x.dtype is dtypes.bool_:
        raise errors.runtime("tanhshrink: no subtraction of bools", input=x.type, hint="use .float()")
    x = floats(x)
    return ew.sub(x, ew.tanh(x))


@labelled("DivBackward0")
def _softsign(x: Node) -> Node:
    require("softsign", x, NUMBERS)
    x = floats(x)
    return ew.div(x, plus(ew.convert(ew.abs(x), x.dtype), 1))


def gelu(input: Any, approximate: str = "none") -> Any:
    """x times the normal distribution's cumulative probability of x.

    Args:
        approximate: "none", or "tanh" for 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Source: torch.nn.functional.gelu.
    """
    return _applied(_gelu, input, approximate)


def silu(input: Any, inplace: bool = False) -> Any:
    """x * sigmoid(x). Source: torch.nn.functional.silu."""
    return _silu_(input) if inplace else _applied(_silu, input)


_silu_ = in_place(silu)


def mish(input: Any, inplace: bool = False) -> Any:
    """x * tanh(softplus(x)). Source: torch.nn.functional.mish."""
    return _mish_(input) if inplace else _applied(_mish, input)


_mish_ = in_place(mish)


def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """min(max(x + 3, 0), 6) / 6. Source: torch.nn.functional.hardsigmoid."""
    return _hardsigmoid_(input) if inplace else _applied(_hardsigmoid, input)


_hardsigmoid_ = in_place(hardsigmoid)


def hardswish(input: Any, inplace: bool = False) -> Any:
    """x * min(max(x + 3, 0), 6) / 6. Source: torch.nn.functional.hardswish."""
    return _hardswish_(input) if inplace else _applied(_hardswish, input)


_hardswish_ = in_place(hardswish)


def logsigmoid(input: Any) -> Any:
    """log(1 / (1 + exp(-x))), without overflow. Source: torch.nn.functional.logsigmoid."""
    return _applied(_logsigmoid, input)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold.

    Source: torch.nn.functional.softplus.
    """
    return _applied(_softplus, input, float(beta), float(threshold))


def softshrink(input: Any, lambd: float = 0.5) -> Any:
    """x moved towards 0 by ``lambd``, and 0 within.

    Raises:
        RuntimeError: lambd < 0.
    Source: torch.nn.functional.softshrink.
    """
    return _applied(_softshrink, input, float(lambd))


def tanhshrink(input: Any) -> Any:
    """x - tanh(x). Source: torch.nn.functional.tanhshrink."""
    return _applied(_tanhshrink, input)


def softsign(input: Any) -> Any:
    """x / (1 + |x|). Source: torch.nn.functional.softsign."""
    return _applied(_softsign, input)


def tanh(input: Any) -> Any:
    """tanh(x). Source: torch.nn.functional.tanh."""
    return pointwise.tanh(input)


def sigmoid(input: Any) -> Any:
    """1 / (1 + exp(-x)). Source: torch.nn.functional.sigmoid."""
    return pointwise.sigmoid(input)


# --- gates -------------------------------------------------------------------------------------------------


@labelled("GluBackward0")
def _glu(x: Node, dim: int) -> Node:
    require("glu", x, FLOATING)
    if not x.rank:
        raise errors.runtime("glu: a number has no halves")
    axis = shapes.axis(dim, x.rank)
    size = x.shape[axis]
    if size % 2:
        raise errors.runtime(f"glu cannot halve the {size} elements of dimension {axis}", input=x.type)
    half = size // 2
    return mul(narrow(x, axis, 0, half), ew.sigmoid(narrow(x, axis, half, size)))


def glu(input: Any, dim: int = -1) -> Any:
    """a * sigmoid(b), where a and b are the halves of ``input`` along ``dim``.

    Raises:
        RuntimeError: the dimension's size is odd.
    Source: torch.nn.functional.glu.
    """
    return _applied(_glu, input, dim)
