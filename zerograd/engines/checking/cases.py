"""Every op with every type, one at a time: operands of random shapes, values and layouts, and random attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.checking import sequences
from zerograd.engines.checking.building import Builder, MisfitError, own_recorder
from zerograd.engines.checking.comparing import Expectation
from zerograd.engines.checking.drawing import Draw
from zerograd.engines.checking.gathering import pool_table, windows_of
from zerograd.engines.checking.programs import FILES as _FILL_THE_REGISTRY  # noqa: F401
from zerograd.engines.checking.shaping import axes_of, axis_of, box_in, factored
from zerograd.engines.checking.tolerances import words
from zerograd.engines.checking.trial import Trial
from zerograd.ir.graph import Node, Op, TensorType, registry
from zerograd.ir.record import recorder
from zerograd.ops.attention import attention
from zerograd.ops.convolution import window_counts
from zerograd.ops.reduction import folded
from zerograd.ops.source import filled
from zerograd.shapes import count

Call = tuple[tuple[Node, ...], dict[str, Any]]
Maker = Callable[[Builder, Op, dtype], Call]

OPS = tuple(registry.values())
LEFT_OUT = {
    "leaf": "it is data",
    "output": "it comes with the ops that have several results",
}
DIVISIONS = words("div_floor div_trunc remainder fmod")


def case(op: Op, kind: dtype, seed: int) -> Expectation | None:
    """One application of an op to operands of a type; ``None`` if the op does not take it.

    Args:
        seed: of its shapes, values, layouts and attributes.
    """
    place = OPS.index(op)
    draw = Draw((0xCA5E, place, dtypes.ALL.index(kind), seed), limit=2048, wild=seed % 4 == 3)
    with own_recorder():
        builder = Builder(draw)
        try:
            inputs, attributes = MAKERS.get(op.name, elementwise)(builder, op, kind)
            made = op(*inputs, **attributes)
            nodes = made if isinstance(made, tuple) else (made,)
            builder.know(*nodes)
        except Exception:  # the reference refuses these operands, here as in PyTorch
            return None
        trial = Trial(f"{op.name} of {kind.name}, seed {seed}", nodes, tuple(recorder.own.trace.leaves))
        return Expectation(trial, builder.values, builder.bounds)


def cases(op: Op, kind: dtype, number: int, start: int = 0) -> Iterator[Expectation]:
    """Several applications, as far as the op takes the type."""
    for seed in range(start, start + number):
        found = case(op, kind, seed)
        if found is not None:
            yield found


# --- operands ----------------------------------------------------------------------------------------------


def _in_domain(b: Builder, op: Op, type: TensorType) -> Node:
    """Values where the op is defined, three times of four."""
    low, high = op.domain
    if type.dtype.is_inexact and not b.draw.wild and b.draw.chance(0.7):
        return b.leaf(type, low=low, high=high)
    return b.leaf(type)


def _any(b: Builder, kind: dtype, rank: int | None = None, least: int = 0) -> Node:
    shape = b.draw.shape(rank)
    while len(shape) < least:
        shape = (*shape, b.draw.size(9))
    return b.leaf(TensorType(shape, kind))


def elementwise(b: Builder, op: Op, kind: dtype) -> Call:
    """Operands of one type and shape; a condition is of truth values."""
    type = TensorType(b.draw.shape(), kind)
    xs = [_in_domain(b, op, type.with_dtype(dtypes.bool_) if name == "condition" else type) for name in op.inputs]
    if op.name in DIVISIONS and not kind.is_inexact:
        values = np.asarray(b.values[xs[1]])
        xs[1] = b.leaf(type, np.where((values == 0) | (values == -1), 3, values).astype(kind.numpy))
    if "_polynomial_" in op.name:  # computed by a loop over the degree
        xs[1] = b.leaf(type, b.draw.random.integers(-2, 12, type.shape).astype(kind.numpy))
    if op.name == "binary_cross_entropy":
        xs = [b.leaf(type, low=0.0, high=1.0) for _ in xs]
    return tuple(xs), {}


def _with(**choices: tuple[Any, ...]) -> Maker:
    """Elementwise operands, and attributes out of these."""

    def maker(b: Builder, op: Op, kind: dtype) -> Call:
        inputs, _ = elementwise(b, op, kind)
        return inputs, {name: b.draw.one(values) for name, values in choices.items()}

    return maker


def _whole_places(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind is dtypes.int64)
    size = b.draw.between(1, 9)
    places = b.places(b.draw.shape(), size, -size if op.name == "wrap" else 0)
    return (places,), {"size": size} if op.name == "wrap" else {"size": size, "ignored": None, "problem": "out"}


def _only(fits: bool) -> None:
    if not fits:
        raise MisfitError


def _source(b: Builder, op: Op, kind: dtype) -> Call:
    n, shape = b.draw.size(), b.draw.shape(2)
    options: dict[str, dict[str, Any]] = {
        "full": {"fill": b.draw.one((0, 1, True)), "type": TensorType(b.draw.shape(), kind)},
        "iota": {"size": n, "dtype": kind},
        "triangle": {"shape": shape, "diagonal": b.draw.between(-2, 2)},
        "ramp": {"start": 1, "step": 2, "size": n, "dtype": kind},
        "spaced": {"start": -1.0, "end": 2.0, "size": n, "dtype": kind, "base": b.draw.one((None, 2.0))},
        "diagonal_ones": {"shape": shape, "dtype": kind},
    }
    return (), options[op.name]


# --- movement ----------------------------------------------------------------------------------------------


def _movement(b: Builder, op: Op, kind: dtype) -> Call:
    x = _any(b, kind, least=1)
    box = box_in(b, x.shape)
    lead = tuple(b.draw.between(1, 3) if n == 1 else n for n in x.shape)
    options: dict[str, dict[str, Any]] = {
        "reshape": {"shape": factored(b, x.type.count)},
        "permute": {"order": tuple(int(i) for i in b.draw.random.permutation(x.rank))},
        "expand": {"shape": lead},
        "flip": {"axes": tuple(b.draw.some(range(x.rank)))},
        "slice": box,
        "slice_write": box,
    }
    if op.name == "slice_write":
        return (x, b.leaf(registry["slice"](x, **box).type)), box
    return (x,), options[op.name]


def _cat(b: Builder, op: Op, kind: dtype) -> Call:
    x = _any(b, kind, least=1)
    axis = axis_of(b, x)
    shapes = [tuple(b.draw.size(9) if i == axis else n for i, n in enumerate(x.shape)) for _ in range(3)]
    return (x, *[b.leaf(TensorType(shape, kind)) for shape in shapes[: b.draw.between(1, 3)]]), {"axis": axis}


def _same_type(b: Builder, op: Op, kind: dtype) -> Call:
    type = TensorType(b.draw.shape(), kind)
    return tuple(b.leaf(type) for _ in op.inputs), {}


def _bitcast(b: Builder, op: Op, kind: dtype) -> Call:
    return (_any(b, kind),), {"dtype": b.draw.one([one for one in dtypes.ALL if one.itemsize == kind.itemsize])}


def _unpairs(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind in (dtypes.float32, dtypes.float64))
    return (b.leaf(TensorType((*b.draw.shape(1), 2), kind)),), {}


# --- places ------------------------------------------------------------------------------------------------


def _index(b: Builder, op: Op, kind: dtype) -> Call:
    x = _any(b, kind, least=1)
    n = x.shape[0]
    shape = b.draw.shape(b.draw.one((0, 1, 2)), 40)
    _only(n > 0 or 0 in shape)
    return (x, b.places(shape, n, -n if b.draw.chance(0.3) else 0)), {}


def _index_write(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind is not dtypes.bool_)
    x = _any(b, kind, least=1)
    n, accumulate = x.shape[0], b.draw.chance(0.7)
    if accumulate:
        shape = (b.draw.size(33) if n else 0,)
        places = b.places(shape, n, -n if b.draw.chance(0.3) else 0)
    else:
        order = b.draw.random.permutation(n)[: b.draw.below(n + 1)]
        places = b.leaf(TensorType(order.shape, dtypes.int64), order.astype(np.int64))
    values = b.leaf(x.type.with_shape((*places.shape, *x.shape[1:])))
    return (x, values, places), {"accumulate": accumulate}


def _along(b: Builder, op: Op, kind: dtype) -> Call:
    """gather and the scatters."""
    _only(kind is not dtypes.bool_ or op.name == "gather")
    x = _any(b, kind, least=1)
    axis = axis_of(b, x)
    n = x.shape[axis]
    shape = tuple(b.draw.size(17) if i == axis else m for i, m in enumerate(x.shape))
    if op.name == "scatter":
        shape = tuple(b.draw.between(0, n) if i == axis else m for i, m in enumerate(x.shape))
        full = np.argsort(b.draw.random.random(x.shape), axis).take(range(shape[axis]), axis)
        places = b.leaf(TensorType(shape, dtypes.int64), full.astype(np.int64))
    else:
        _only(n > 0 or 0 in shape)
        places = b.places(shape, n, -n if b.draw.chance(0.2) else 0)
    options: dict[str, Any] = {"axis": axis}
    if op.name == "scatter_fold":
        options["kind"] = b.draw.one(("product",) if kind.is_complex else ("product", "max", "min"))
    if op.name == "gather":
        return (x, places), options
    return (x, places, b.leaf(TensorType(shape, kind))), options


# --- folding and orders ---------------------------------------------------------------------------------------


def _fold(b: Builder, op: Op, kind: dtype) -> Call:
    _only((kind is dtypes.bool_) == (op.name in ("any", "all")))
    x = _any(b, kind)
    options: dict[str, Any] = {"axes": axes_of(b, x)}
    if op.name == "var":
        options["correction"] = b.draw.one((1.0, 0.0, 2.0))
    if op.name == "norm":
        options["p"] = b.draw.one((2.0, 1.0, 0.0, np.inf, -np.inf, 3.0, 0.5))
    return (x,), options


def _inexact_fold(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind.is_inexact)
    return _fold(b, op, kind)


def _axis(b: Builder, op: Op, kind: dtype) -> Call:
    """Operands of one type, and an axis."""
    _only(kind is not dtypes.bool_)
    type = _any(b, kind, least=1).type
    xs = tuple(b.leaf(type) for _ in op.inputs)
    options: dict[str, Any] = {"axis": axis_of(b, xs[0])}
    if "descending" in op.attributes:
        options["descending"] = b.draw.chance(0.5)
    return xs, options


def _standardized(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind.is_floating_point)
    x = _any(b, kind)
    axes = axes_of(b, x)
    small = folded(x.type, axes)
    return (x, b.leaf(small), b.leaf(small)), {"axes": axes}


def _inexact_axis(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind.is_inexact)
    return _axis(b, op, kind)


def _median(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind is not dtypes.bool_ and not kind.is_complex)
    return (b.leaf(TensorType((b.draw.size() or 1,), kind)),), {"axes": (0,)}


def _lookup(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind is not dtypes.bool_ and not kind.is_complex)
    type = TensorType((b.draw.size(40),), kind)
    if op.name == "isin":
        return (_any(b, kind), b.leaf(type)), {"invert": b.draw.chance(0.5)}
    if op.name == "histogram":
        _only(kind.is_inexact and not b.draw.wild)
        return (b.leaf(type),), {"bins": 7, "low": -2.0, "high": 2.0}
    line = b.leaf(type, np.sort(np.asarray(b.draw.array(type))))
    return (line, _any(b, kind)), {"right": b.draw.chance(0.5)}


# --- products, windows, transforms ------------------------------------------------------------------------------


def _attention(b: Builder, op: Op, kind: dtype) -> Call:
    """With a mask of either kind or none; the gradient at results that attention gives."""
    lead = b.draw.between(1, 3), b.draw.between(1, 3)
    queries, keys, width, value_width = (b.draw.size(most) for most in (60, 60, 20, 20))
    at = {"causal": b.draw.chance(0.4), "scale": b.draw.one((0.5, 0.125, -1.0))}
    shapes = (*lead, queries, width), (*lead, keys, width), (*lead, keys, value_width)
    q, k, v = (b.leaf(TensorType(shape, kind)) for shape in shapes)
    mask = filled(False, TensorType((0,), dtypes.bool_))
    if b.draw.chance(0.5):
        mask = b.leaf(TensorType((*lead, queries, keys), b.draw.one((dtypes.bool_, kind))))
    if op is attention:
        return (q, k, v, mask), at
    results = attention(q, k, v, mask, **at)
    b.know(*results)
    return (b.leaf(results[0].type), q, k, v, mask, *results), at


def _matmul(b: Builder, op: Op, kind: dtype) -> Call:
    lead = b.draw.one(((), (2,), (3, 2), (0,), (1, 5)), (8, 3, 1, 0.3, 1))
    m, n = (b.draw.size(70) for _ in "mn")
    k = b.draw.size(300)
    shapes = ((*lead, m, k), (*lead, k, n))
    return tuple(b.leaf(TensorType(shape, kind)) for shape in shapes), {}


def _convolution(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind is not dtypes.bool_)
    size, kernel, options = windows_of(b, b.draw.one((1, 2, 3)))
    out = window_counts(size, kernel, *options.values())
    n, groups = b.draw.one((1, 2, 3, 0), (4, 3, 1, 0.3)), b.draw.one((1, 2))
    channels, features = 2 * groups, 3 * groups
    leaf = lambda *shape: b.leaf(TensorType(shape, kind))  # noqa: E731
    columns = leaf(n, 2 * count(kernel), count(out))
    sides: dict[str, Callable[[], Call]] = {
        "conv": lambda: ((leaf(n, channels, *size), leaf(features, 2, *kernel)), {"groups": groups}),
        "conv_input": lambda: ((leaf(n, features, *out), leaf(features, 2, *kernel)), {"size": size, "groups": groups}),
        "conv_weight": lambda: (
            (leaf(n, channels, *size), leaf(n, features, *out)),
            {"kernel": kernel, "groups": groups},
        ),
        "unfold": lambda: ((leaf(n, channels, *size),), {"kernel": kernel}),
        "fold": lambda: ((columns,), {"size": size, "kernel": kernel}),
    }
    inputs, own = sides[op.name]()
    return inputs, {**own, **options}


def _tables(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind is not dtypes.bool_)
    x = b.leaf(TensorType(tuple(n or 1 for n in b.draw.shape(b.draw.between(2, 4))), kind))
    if op.name == "max_pool":
        _only(not kind.is_complex)
        return (x,), {"tables": tuple(pool_table(b, n) for n in x.shape[-b.draw.between(1, 2) :])}
    _only(kind.is_inexact)
    axis = axis_of(b, x)
    table = pool_table(b, x.shape[axis])
    weights = tuple(tuple(float(one) for one in b.draw.random.uniform(-1, 1, len(row))) for row in table)
    return (x,), {"axis": axis, "table": table, "weights": b.draw.one((None, weights))}


def _fourier(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind.is_complex if op.name != "half_fourier" else kind in (dtypes.float32, dtypes.float64))
    x = b.leaf(TensorType(tuple(n or 1 for n in b.draw.shape(b.draw.between(1, 3))), kind))
    axis = axis_of(b, x)
    if op.name == "fourier":
        return (x,), {"axes": (axis,), "forward": b.draw.chance(0.5)}
    if op.name == "half_fourier":
        return (x,), {"axis": axis}
    return (x,), {"axis": axis, "size": 2 * (x.shape[axis] - 1) + b.draw.below(2) or 1}


def _matrix(b: Builder, op: Op, kind: dtype) -> Call:
    _only(kind in (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128) and not b.draw.wild)
    n = b.draw.between(1, 6)
    values = b.draw.random.standard_normal((2, n, n)) * 0.3 + 2 * np.eye(n)
    if op.name in ("cholesky", "eigh"):
        values = values + np.swapaxes(values, -1, -2)
    x = b.leaf(TensorType((2, n, n), kind), b.draw.laid(values.astype(kind.numpy)))
    options: dict[str, dict[str, Any]] = {
        "solve_triangular": {"upper": b.draw.chance(0.5), "unit": b.draw.chance(0.3)},
        "qr": {"mode": b.draw.one(("reduced", "complete"))},
        "svd": {"full": b.draw.chance(0.5)},
        "eigh": {"upper": b.draw.chance(0.5)},
    }
    inputs = (x, b.leaf(TensorType((2, n, 3), kind))) if op.name.startswith("solve") else (x,)
    return inputs, options.get(op.name, {})


def _alignment(b: Builder, op: Op, kind: dtype) -> Call:
    """``ctc`` and its gradient."""
    _only(kind in (dtypes.float32, dtypes.float64) and not b.draw.wild)
    times, batch, classes, longest = b.draw.between(4, 9), b.draw.between(1, 3), b.draw.between(2, 5), 2
    raw = b.draw.random.standard_normal((times, batch, classes))
    probabilities = raw - np.log(np.sum(np.exp(raw), -1, keepdims=True))
    log_probs = b.leaf(TensorType(raw.shape, kind), probabilities.astype(kind.numpy))
    targets = b.leaf(TensorType((batch, longest), dtypes.int64), b.draw.random.integers(1, classes, (batch, longest)))
    lengths = TensorType((batch,), dtypes.int64)
    inputs = (log_probs, targets, b.leaf(lengths, np.full(batch, times)), b.leaf(lengths, np.full(batch, longest)))
    if op.name == "ctc":
        return inputs, {"blank": 0}
    loss = registry["ctc"](*inputs, blank=0)
    return (b.leaf(loss.type), *inputs, loss), {"blank": 0}


def _sequence(b: Builder, op: Op, kind: dtype) -> Call:
    """Recurrent layers, their gradients and tangents."""
    _only(kind.is_floating_point and not b.draw.wild)
    return sequences.operands(b, op.name, kind)


def _by_name(maker: Maker, names: str) -> dict[str, Maker]:
    return dict.fromkeys(words(names), maker)


MAKERS: dict[str, Maker] = {
    **_by_name(_source, "full iota triangle ramp spaced diagonal_ones"),
    **_by_name(_movement, "reshape permute expand flip slice slice_write"),
    **_by_name(_same_type, "overwrite graft attach sampled frexp pairs copy stop"),
    **_by_name(_whole_places, "wrap within"),
    **_by_name(_along, "gather scatter scatter_add scatter_fold"),
    **_by_name(_fold, "sum max min any all"),
    **_by_name(_inexact_fold, "logsumexp var norm"),
    "standardized": _standardized,
    **_by_name(_axis, "prod cumsum cumprod recurrence argmax argmin max_at min_at sort cummax cummin"),
    **_by_name(_axis, "median_at nanmedian_at median_place nanmedian_place mode_at mode_place"),
    **_by_name(_inexact_axis, "softmax log_softmax logcumsumexp"),
    **_by_name(_median, "median nanmedian"),
    **_by_name(_lookup, "searchsorted isin histogram"),
    **_by_name(_convolution, "conv conv_input conv_weight unfold fold"),
    **_by_name(_tables, "max_pool resample"),
    **_by_name(_fourier, "fourier half_fourier whole"),
    **_by_name(_matrix, "inverse solve solve_triangular cofactor det slogdet cholesky qr eigh svd eig lu_factor"),
    **_by_name(_alignment, "ctc ctc_gradient"),
    **dict.fromkeys(sequences.OPERANDS, _sequence),
    "variable": _with(index=(0,)),
    "dead_end": _with(name=("f",)),
    "polygamma": _with(n=(0, 1, 2)),
    "cast": _with(dtype=dtypes.ALL),
    "cat": _cat,
    "bitcast": _bitcast,
    "unpairs": _unpairs,
    "index": _index,
    "index_write": _index_write,
    "matmul": _matmul,
    **_by_name(_attention, "attention attention_gradient"),
}
