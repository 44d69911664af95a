"""What may come next in a random graph. Each production adds nodes to a builder's pool, or raises ``MisfitError``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zerograd import dtypes
from zerograd.engines.checking.building import Builder, MisfitError
from zerograd.engines.checking.tolerances import words
from zerograd.ir.graph import Node, registry
from zerograd.ops import elementwise as e
from zerograd.ops.movement import broadcast_to
from zerograd.ops.source import filled, iota, triangle


@dataclass(frozen=True)
class Production:
    """One way to go on.

    Attributes:
        name: what it is called in ``--only``.
        odds: how often it is chosen, relative to others.
        apply: what it does.
    """

    name: str
    odds: float
    apply: Callable[[Builder], object]


TABLE: list[Production] = []


def production(odds: float) -> Callable[[Callable[[Builder], object]], Callable[[Builder], object]]:
    """Enter a function of a builder into the table, under its own name."""

    def enter(function: Callable[[Builder], object]) -> Callable[[Builder], object]:
        TABLE.append(Production(function.__name__, odds, function))
        return function

    return enter


USUAL = words("neg square exp log sqrt tanh sin cos sigmoid relu sign abs reciprocal rsqrt")
UNARY = words("""exp2 expm1 log2 log10 log1p root logit tan asin acos atan sinh cosh asinh acosh atanh floor ceil trunc
                 round softplus erf erfc erfinv copy stop""")
SPECIAL = words("""erfcx ndtr ndtri log_ndtr lgamma digamma i0 i0e i1 i1e bessel_j0 bessel_j1 bessel_y0 bessel_y1
                   spherical_bessel_j0 airy_ai entr sinc""")
BINARY = words("add sub mul div maximum minimum fmax fmin clamp_min clamp_max")
BINARY_RARE = words("""pow logaddexp logaddexp2 atan2 hypot remainder fmod div_floor div_trunc copysign xlogy
                       heaviside""")
COMPARISONS = words("eq ne lt le gt ge")
WHOLE = words("add sub mul maximum minimum bit_and bit_or bit_xor gcd div_floor div_trunc remainder")
COMPLEX_UNARY = words("neg square exp log sqrt tanh sin cos sigmoid conjugate reciprocal")


def into_domain(b: Builder, x: Node, low: float, high: float) -> Node:
    """``x``, or its values squeezed into an interval."""
    value = np.asarray(b.values[x]).astype(np.float64)
    if b.draw.wild or (value.size and np.nanmin(value) >= low and np.nanmax(value) <= high):
        return x
    share = e.times(e.sigmoid(x), high - low)
    return e.plus(share, low)


@production(14)
def unary(b: Builder) -> None:
    x = b.pick_float()
    name = b.draw.one((b.draw.one(USUAL), b.draw.one(UNARY), b.draw.one(SPECIAL)), (10, 5, 0.6))
    low, high = registry[name].domain
    needs = (low, high) not in ((-2.0, 2.0), (-10, 10))
    b.offer(registry[name](into_domain(b, x, low, high) if needs else x))


@production(14)
def binary(b: Builder) -> None:
    x = b.pick_float(complex=b.draw.chance(0.1))
    y = b.partner(x.type)
    if x.dtype.is_complex:
        name = b.draw.one(("add", "sub", "mul", "div"))
    else:
        name = b.draw.one((b.draw.one(BINARY), b.draw.one(BINARY_RARE)), (8, 1))
    if name in ("pow", "xlogy") and not b.draw.wild:
        x = into_domain(b, x, 0.5, 2.0)
    if b.draw.chance(0.3):
        x, y = y, x
    b.offer(registry[name](x, y))


@production(4)
def number(b: Builder) -> None:
    """An array and a Python number."""
    x = b.pick_float()
    b.offer(b.draw.one((e.add, e.mul, e.sub, e.div))(x, b.scalar(b.draw.number() or 2.0, x.type)))


@production(5)
def comparison(b: Builder) -> None:
    x = b.pick(lambda type: not type.dtype.is_complex)
    b.offer(registry[b.draw.one(COMPARISONS)](x, b.partner(x.type)))


@production(5)
def choice(b: Builder) -> None:
    x = b.pick()
    condition = b.partner(x.type.with_dtype(dtypes.bool_))
    b.offer(e.where(condition, x, b.partner(x.type)))


@production(3)
def masked(b: Builder) -> None:
    """Where a comparison of the value itself holds, something else."""
    x = b.pick_float()
    y = b.partner(x.type)
    condition = registry[b.draw.one(COMPARISONS)](x, y)
    b.offer(e.where(condition, e.times(x, 0.5), b.draw.one((y, filled(0, x.type)))))


@production(3)
def three(b: Builder) -> None:
    x = b.pick_float()
    low, high = b.partner(x.type), b.partner(x.type)
    b.offer(b.draw.one((e.clamp, e.lerp))(x, low, high))


@production(7)
def conversion(b: Builder) -> None:
    """A change of type, often there and back."""
    x = b.pick()
    kind = b.draw.kind()
    if kind.category == dtypes.INTEGER and x.dtype.is_inexact and not b.draw.wild:
        x = e.cast(x, dtype=dtypes.float32) if x.dtype.is_complex else x
        x = e.maximum(e.minimum(x, filled(100, x.type)), filled(-100, x.type))
    taken = b.offer(e.cast(x, dtype=kind))
    if taken and kind.is_inexact and x.dtype.is_inexact and b.draw.chance(0.6):
        b.offer(e.cast(e.square(taken[0]), dtype=x.dtype))


@production(4)
def whole(b: Builder) -> None:
    """Arithmetic of integers."""
    x = b.pick(lambda type: type.dtype.category == dtypes.INTEGER)
    y, name = b.partner(x.type), b.draw.one(WHOLE)
    if name in ("div_floor", "div_trunc", "remainder"):  # an error in PyTorch for 0
        y = e.where(e.eq(y, filled(0, y.type)), filled(1, y.type), y)
        if x.dtype.is_signed:
            y = e.where(e.eq(y, filled(-1, y.type)), filled(2, y.type), y)
    b.offer(registry[name](x, y))


@production(1.5)
def bits(b: Builder) -> None:
    x = b.pick(lambda type: not type.dtype.is_inexact)
    name = b.draw.one(("bit_not", "bit_and", "bit_or", "bit_xor", "shift_left", "shift_right"))
    if name == "bit_not":
        b.offer(registry[name](x))
    elif name.startswith("bit"):
        b.offer(registry[name](x, b.partner(x.type)))
    elif x.dtype is not dtypes.bool_:
        b.offer(registry[name](x, filled(b.draw.below(7), x.type)))


@production(1.5)
def complex_numbers(b: Builder) -> None:
    x = b.pick(lambda type: type.dtype.is_complex, fresh=0.2)
    way = b.draw.one(("unary", "part", "pairs", "back"))
    if way == "unary":
        b.offer(registry[b.draw.one(COMPLEX_UNARY)](x))
    elif way == "part":
        b.offer(registry[b.draw.one(("real", "imag", "abs", "angle"))](x))
    elif way == "pairs":
        b.offer(registry["pairs"](x))
    else:
        part = registry["real"](x)
        b.offer(registry["complex"](part, b.partner(part.type)))


@production(2)
def sources(b: Builder) -> None:
    """Constants, ramps, masks, without any data."""
    x = b.pick(lambda type: type.rank > 0)
    way = b.draw.one(("places", "triangle", "ones", "spaced"))
    n = x.shape[-1]
    if way == "places" or x.rank < 2:
        b.offer(e.cast(broadcast_to(iota(size=n, dtype=dtypes.int64), x.shape), dtype=x.dtype))
    elif way == "triangle":
        mask = broadcast_to(triangle(shape=x.shape[-2:], diagonal=b.draw.between(-1, 1)), x.shape)
        b.offer(e.where(mask, x, filled(0, x.type)))
    elif way == "ones" and x.dtype.is_inexact:
        ones = broadcast_to(registry["diagonal_ones"](shape=x.shape[-2:], dtype=x.dtype), x.shape)
        b.offer(e.mul(x, ones))
    elif x.dtype.is_floating_point:
        line = registry["spaced"](start=-1.0, end=2.0, size=n, dtype=x.dtype, base=None)
        b.offer(e.add(x, broadcast_to(line, x.shape)))


@production(4)
def shared(b: Builder) -> None:
    """A diamond: two ways from one value, which meet again."""
    x = b.pick_float()
    left, right = (registry[b.draw.one(("tanh", "neg", "sigmoid", "square", "relu", "copy", "abs"))](x) for _ in "lr")
    b.offer(left, right, b.draw.one((e.add, e.mul, e.sub, e.maximum))(left, right))


@production(2)
def chain(b: Builder) -> None:
    """A long run of elementwise functions."""
    x = b.pick_float()
    other = b.partner(x.type)
    for _ in range(b.draw.between(4, 12)):
        name = b.draw.one(("tanh", "sigmoid", "neg", "add", "mul", "sub", "maximum", "relu", "sin"))
        op = registry[name]
        x = op(x) if len(op.inputs) == 1 else op(x, other)
    if not b.offer(x):
        raise MisfitError
