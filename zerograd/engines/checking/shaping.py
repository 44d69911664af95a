"""Productions that move elements, fold axes, and run along them."""

from __future__ import annotations

import math

import numpy as np

from zerograd import dtypes
from zerograd.engines.checking.building import Builder, MisfitError
from zerograd.engines.checking.productions import production
from zerograd.ir.graph import Node, registry
from zerograd.ops import elementwise as e
from zerograd.ops import movement as m
from zerograd.ops.reduction import mean_of
from zerograd.shapes import Shape, count


def factored(b: Builder, n: int) -> Shape:
    """A random shape with n elements."""
    if n == 0:
        return b.draw.one(((0,), (0, 3), (2, 0), (1, 0, 5)))
    sizes: list[int] = []
    while n > 1 and len(sizes) < 3:
        divisors = [d for d in range(2, min(n, 70) + 1) if n % d == 0] or [n]
        sizes.append(b.draw.one(divisors))
        n //= sizes[-1]
    sizes += [n] if n > 1 else []
    while len(sizes) < 4 and b.draw.chance(0.3):
        sizes.insert(b.draw.below(len(sizes) + 1), 1)
    return tuple(sizes)


def box_in(b: Builder, shape: Shape) -> dict[str, Shape]:
    """Attributes of a slice."""
    starts, stops, steps = [], [], []
    for n in shape:
        start = b.draw.below(n + 1) if b.draw.chance(0.4) else 0
        stop = b.draw.between(start, n) if b.draw.chance(0.4) else n
        starts.append(start)
        stops.append(stop)
        steps.append(b.draw.one((1, 2, 3), (5, 2, 1)))
    return {"starts": tuple(starts), "stops": tuple(stops), "steps": tuple(steps)}


def axis_of(b: Builder, x: Node) -> int:
    return b.draw.below(x.rank)


def axes_of(b: Builder, x: Node) -> Shape:
    """Some axes: all, the last, the first, any."""
    rank = x.rank
    ways = [tuple(range(rank)), (rank - 1,), (0,), tuple(b.draw.some(range(rank))), ()]
    return b.draw.one(ways, (3, 5, 3, 3, 0.2)) if rank else ()


@production(4)
def reshape(b: Builder) -> None:
    x = b.pick()
    b.offer(m.reshape(x, shape=factored(b, x.type.count)))


@production(5)
def permute(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 1)
    b.offer(m.permute(x, order=tuple(int(i) for i in b.draw.random.permutation(x.rank))))


@production(3)
def expand(b: Builder) -> None:
    x = b.pick(lambda type: type.count * 4 <= b.draw.limit)
    shape = tuple(b.draw.between(0 if b.draw.chance(0.05) else 1, 4) if n == 1 else n for n in x.shape)
    lead = (b.draw.between(1, 3),) if b.draw.chance(0.5) else ()
    b.offer(m.broadcast_to(x, (*lead, *shape)))


@production(5)
def slices(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0)
    b.offer(m.slice_(x, **box_in(b, x.shape)))


@production(3)
def slice_write(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0)
    box = box_in(b, x.shape)
    part = b.partner(m.slice_(x, **box).type)
    b.offer(m.slice_write(x, part, **box))


@production(2)
def flip(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0)
    b.offer(m.flip(x, axes=tuple(b.draw.some(range(x.rank)))))


@production(4)
def cat(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0 and type.count * 3 <= b.draw.limit)
    axis = axis_of(b, x)
    parts = [x]
    for _ in range(b.draw.between(1, 3)):
        shape = tuple(b.draw.size(9) if i == axis else n for i, n in enumerate(x.shape))
        parts.append(b.draw.one((b.partner(x.type), b.partner(x.type.with_shape(shape)))))
    order = b.draw.random.permutation(len(parts))
    b.offer(m.cat(*[parts[i] for i in order], axis=axis))


@production(3)
def pad(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0 and type.count * 4 <= b.draw.limit)
    sides = [tuple(b.draw.one((0, 1, 2)) for _ in x.shape) for _ in "ba"]
    fill = b.scalar(b.draw.number(), x.type.with_shape(())) if x.dtype.is_inexact and b.draw.chance(0.3) else None
    b.offer(m.pad(x, sides[0], sides[1], fill))


@production(0.7)
def history(b: Builder) -> None:
    """Ops that are about gradients and only pass values on."""
    x = b.pick_float()
    y = b.partner(x.type)
    name = b.draw.one(("graft", "attach", "overwrite", "sampled", "stop"))
    b.offer(registry[name](x) if name == "stop" else registry[name](x, y))


@production(0.7)
def bitcast(b: Builder) -> None:
    x = b.pick(lambda type: type.dtype in (dtypes.float32, dtypes.int32, dtypes.int64, dtypes.float64), fresh=0.5)
    whole = {4: dtypes.int32, 8: dtypes.int64}[x.dtype.itemsize]
    b.offer(m.bitcast(x, dtype=whole))


# --- folding -----------------------------------------------------------------------------------------------

FOLDS = ("sum", "max", "min", "logsumexp", "var", "norm", "mean")
NORMS = (2.0, 1.0, 0.0, math.inf, -math.inf, 3.0, 1.5)


def folded(b: Builder, x: Node, axes: Shape) -> Node:
    """``x`` with axes folded in some way."""
    name = b.draw.one(FOLDS, (8, 3, 2, 2, 2, 2, 4))
    if any(x.shape[i] == 0 for i in axes) and name in ("max", "min"):
        raise MisfitError
    if name == "mean":
        return mean_of(x, axes)
    if name == "var":
        return registry["var"](x, axes=axes, correction=b.draw.one((1.0, 0.0)))
    if name == "norm":
        p = b.draw.one(NORMS, (6, 3, 1, 1, 1, 1, 1))
        if math.isinf(p) and any(x.shape[i] == 0 for i in axes):
            raise MisfitError
        return registry["norm"](x, axes=axes, p=p)
    return registry[name](x, axes=axes)


@production(10)
def reduction(b: Builder) -> None:
    """Axes folded away, and often dropped."""
    x = b.pick_float()
    out = folded(b, x, axes_of(b, x))
    if b.draw.chance(0.5):
        shape = tuple(n for n, before in zip(out.shape, x.shape, strict=True) if n == before)
        out = m.reshape(out, shape=shape) if count(shape) == out.type.count else out
    b.offer(out)


@production(5)
def centred(b: Builder) -> None:
    """What folding gives, spread out again and combined with what was folded."""
    x = b.pick_float(rank=1)
    out = m.broadcast_to(folded(b, x, axes_of(b, x)), x.shape)
    if b.draw.chance(0.3):
        out = e.plus(e.abs(out), 1.0)
        b.offer(e.div(x, out))
    else:
        b.offer(b.draw.one((e.sub, e.mul, e.add, e.maximum))(x, out))


@production(4)
def softmaxes(b: Builder) -> None:
    x = b.pick_float(rank=1)
    axis = x.rank - 1 if b.draw.chance(0.7) else axis_of(b, x)
    b.offer(registry[b.draw.one(("softmax", "log_softmax"))](x, axis=axis))


@production(2)
def of_integers(b: Builder) -> None:
    """Folds of integers and truth values."""
    x = b.pick(lambda type: not type.dtype.is_inexact and type.rank > 0)
    axes = axes_of(b, x)
    name = b.draw.one(("sum", "any", "all", "max", "min"))
    if name in ("any", "all"):
        x = e.convert(x, dtypes.bool_)
    elif name == "sum":
        x = e.convert(x, dtypes.int64)
    if name in ("max", "min") and any(x.shape[i] == 0 for i in axes):
        raise MisfitError
    b.offer(registry[name](x, axes=axes))


@production(2)
def prod(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0 and type.dtype is not dtypes.bool_)
    b.offer(registry["prod"](x, axis=axis_of(b, x)))


@production(3)
def extremes(b: Builder) -> None:
    """Places of extremes, and what stands there."""
    x = b.pick(lambda type: type.rank > 0 and not type.dtype.is_complex)
    axis = axis_of(b, x)
    if not x.shape[axis]:
        raise MisfitError
    name = b.draw.one(("argmax", "argmin", "max_at", "min_at"))
    found = registry[name](x, axis=axis)
    b.offer(*(found if isinstance(found, tuple) else (found,)))


# --- along an axis -----------------------------------------------------------------------------------------


@production(3)
def scans(b: Builder) -> None:
    x = b.pick_float(rank=1)
    axis = axis_of(b, x)
    name = b.draw.one(("cumsum", "cumprod", "logcumsumexp", "recurrence", "cummax", "cummin"), (4, 1, 1, 2, 1, 1))
    if name == "recurrence":
        b.offer(registry[name](e.tanh(x), b.partner(x.type), axis=axis))
    elif name.startswith("cumm"):
        b.offer(*registry[name](x, axis=axis))
    else:
        b.offer(registry[name](x, axis=axis))


@production(2)
def orders(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0 and not type.dtype.is_complex and type.dtype is not dtypes.bool_)
    axis = axis_of(b, x)
    if not x.type.count:
        raise MisfitError
    name = b.draw.one(("sort", "median_at", "nanmedian_at", "mode_at", "isin", "searchsorted", "histogram"),
                      (6, 1, 1, 0.5, 1, 2, 1))  # fmt: skip
    if name == "sort":
        b.offer(*registry[name](x, axis=axis, descending=b.draw.chance(0.5)))
    elif name == "isin":
        b.offer(registry[name](x, b.leaf(x.type.with_shape((3,))), invert=b.draw.chance(0.5)))
    elif name == "searchsorted":
        line = np.sort(np.asarray(b.draw.array(x.type.with_shape((b.draw.size(20),)))))
        b.offer(registry[name](b.leaf(x.type.with_shape(line.shape), line), x, right=b.draw.chance(0.5)))
    elif name == "histogram":
        if x.dtype not in (dtypes.float32, dtypes.float64) or b.draw.wild:
            raise MisfitError
        b.offer(registry[name](m.reshape(x, shape=(x.type.count,)), bins=5, low=-2.0, high=2.0))
    else:
        b.offer(*registry[name](x, axis=axis))


@production(0.7)
def fourier(b: Builder) -> None:
    x = b.pick(lambda type: type.rank > 0 and type.dtype in (dtypes.float32, dtypes.complex64, dtypes.float64))
    axis = axis_of(b, x)
    if not x.type.count:
        raise MisfitError
    if x.dtype.is_complex:
        b.offer(registry["fourier"](x, axes=(axis,), forward=b.draw.chance(0.5)))
        return
    half = b.offer(registry["half_fourier"](x, axis=axis))
    if half:
        b.offer(registry["whole"](half[0], axis=axis, size=x.shape[axis]))


@production(0.7)
def matrices(b: Builder) -> None:
    """Factorizations and solutions; the matrix is made regular first."""
    n, kind = b.draw.one((1, 2, 3, 5)), b.draw.one((dtypes.float32, dtypes.float64))
    x = b.floats(n, n, kind=kind, scale=0.3)
    x = e.add(x, e.times(registry["diagonal_ones"](shape=(n, n), dtype=kind), 2.0))
    name = b.draw.one(("inverse", "det", "slogdet", "solve", "qr", "solve_triangular"))
    if name.startswith("solve"):
        options = {} if name == "solve" else {"upper": b.draw.chance(0.5), "unit": b.draw.chance(0.3)}
        b.offer(registry[name](x, b.floats(n, 3, kind=kind), **options))
    elif name == "qr":
        b.offer(*registry[name](x, mode="reduced"))
    else:
        found = registry[name](x)
        b.offer(*(found if isinstance(found, tuple) else (found,)))
