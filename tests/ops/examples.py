"""Inputs and attributes for every op with a gradient, from which its tests are generated.

Elementwise ops draw their inputs from ``domain`` in the table; the others are listed here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import zerograd.nn.functional  # noqa: F401  which has ops of its own
from zerograd import dtypes, ops
from zerograd.ir.graph import Op, registry
from zerograd.ops import reduction
from zerograd.ops.elementwise import add, plus, square, sub
from zerograd.ops.linalg import adjoint
from zerograd.ops.movement import expand
from zerograd.ops.transcendental import rsqrt

for _module in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}."):  # so that all ops are in the table
    importlib.import_module(_module.name)
OPS = tuple(registry.values())  # as of now: examples in the documentation add some of their own when they run

ELEMENTS = 5


@dataclass(frozen=True)
class Example:
    """An op, arrays to apply it to, and its attributes.

    Attributes:
        before: what is done to the inputs' nodes first, for ops that want special matrices.
        fixed: inputs with respect to which no derivative is known, here as in PyTorch.
    """

    op: Op
    arrays: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    before: Callable[..., Any] | None = None
    fixed: tuple[int, ...] = ()

    def __str__(self) -> str:
        kinds = "-".join(f"{one.dtype.name}{list(one.shape)}" for one in self.arrays)
        return f"{self.op.name}-{kinds}-" + "-".join(map(str, self.attributes.values()))

    def body(self, *nodes: Any) -> Any:
        """The op as a function of nodes."""
        return self.op(*(self.before(*nodes) if self.before else nodes), **self.attributes)


# Ops whose gradient is not the derivative of their value, and ops tested where their tables are made.
LEFT_OUT = {
    "heaviside": "it has no derivative, here as in PyTorch",
    "graft": "its gradient is by purpose that of something else",
    "dead_end": "its gradient is an error",
    "sampled": "its value is random",
    "eig": "defined up to a complex factor of each vector; see the tests of linear algebra",
    "ctc": "its derivative is an op of its own, tested with the loss",
    "ctc_gradient": "tested with the loss",
    "max_pool": "its tables are made by torch.nn.functional, whose tests cover it",
    "resample": "its tables are made by torch.nn.functional, whose tests cover it",
}

_ROOT = np.random.default_rng(20)
COMPLEX = [
    "abs", "acosh", "add", "angle", "asin", "asinh", "acos", "atan", "atanh", "clone", "conjugate", "copy",
    "cos", "cosh", "div", "exp", "exp2", "expm1", "imag", "lerp", "log", "log10", "log1p", "log2", "mul",
    "neg", "pow", "real", "reciprocal", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "sub",
    "tan", "tanh", "where",
]  # fmt: skip
"""Elementwise ops that also take complex numbers."""


def normal(*shape: int) -> Any:
    return _ROOT.standard_normal(shape)


def distinct(*shape: int) -> Any:
    """Numbers that are far enough apart to stay in order under small changes."""
    return _ROOT.permutation(int(np.prod(shape))).reshape(shape) * 0.3 - 1


def complex_normal(*shape: int) -> Any:
    return normal(*shape) + 1j * normal(*shape)


def _drawn(op: Op, kind: str) -> Example:
    low, high = op.domain
    arrays: list[Any] = [_ROOT.uniform(low, high, ELEMENTS) for _ in op.inputs]
    if kind == "complex":
        arrays = [one + 1j * _ROOT.uniform(0.2, 0.9, ELEMENTS) for one in arrays]
    if "condition" in op.inputs:
        arrays[0] = np.array([True, False, False, True, True])
    attributes: dict[str, Any] = {"cast": {"dtype": dtypes.complex128}, "polygamma": {"n": 2}}.get(op.name, {})
    fixed = (0,) if op.name in ("zeta", "igamma", "igammac") else ()
    return Example(op, tuple(arrays), attributes, fixed=fixed)


def elementwise() -> list[Example]:
    """One example of each elementwise op, and a complex one where it takes complex numbers."""
    ops = [op for op in registry.values() if op.elementwise and op.gradient is not None and op.name not in LEFT_OUT]
    of_complex_only = {"real", "imag"}
    made = [_drawn(op, "real") for op in ops if op.name not in of_complex_only]
    return made + [_drawn(registry[name], "complex") for name in COMPLEX if name in registry]


def _example(name: str, *arrays: Any, before: Any = None, **attributes: Any) -> Example:
    return Example(registry[name], arrays, attributes, before)


def _with_moments(x: Any) -> tuple[Any, ...]:
    """What is standardized has the moments of x: along the axes whose size is not 3."""
    axes = tuple(i for i, n in enumerate(x.shape) if n != 3)
    mean = reduction.mean_of(x, axes)
    centred = sub(x, expand(mean, shape=x.shape))
    variance = reduction.mean_of(square(centred), axes)
    return x, mean, rsqrt(plus(variance, 0.1))


def _places(*shape: int, below: int) -> Any:
    return _ROOT.integers(0, below, shape)


def _symmetric(x: Any) -> tuple[Any, ...]:
    return (add(x, adjoint(x)),)


def movement() -> list[Example]:
    box = {"starts": (0, 1), "stops": (2, 4), "steps": (1, 2)}
    return [
        _example("reshape", normal(2, 3), shape=(3, 2)),
        _example("permute", normal(2, 3, 2), order=(2, 0, 1)),
        _example("expand", normal(1, 3), shape=(2, 3)),
        _example("slice", normal(2, 4), **box),
        _example("slice_write", normal(2, 4), normal(2, 2), **box),
        _example("flip", normal(2, 3), axes=(1,)),
        _example("attach", normal(2, 3), normal(4)),
        _example("overwrite", normal(2, 3), normal(2, 3)),
        _example("attach", normal(3), normal(2)),
        _example("cat", normal(2, 3), normal(2, 1), normal(2, 2), axis=1),
        _example("index", normal(3, 2), _places(4, below=3)),
        _example("index_write", normal(4, 2), normal(2, 2), np.array([3, 1]), accumulate=False),
        _example("index_write", normal(3, 2), normal(4, 2), _places(4, below=3), accumulate=True),
        _example("gather", normal(3, 2), _places(4, 2, below=3), axis=0),
        _example("scatter", normal(3, 2), np.array([[2, 0], [1, 1]]), normal(2, 2), axis=0),
        _example("scatter_add", normal(3, 2), _places(4, 2, below=3), normal(4, 2), axis=0),
        _example("scatter_fold", normal(3, 2), _places(4, 2, below=3), normal(4, 2), axis=0, kind="product"),
        _example("scatter_fold", distinct(3, 2), _places(4, 2, below=3), distinct(4, 2) + 0.1, axis=0, kind="max"),
        _example("pairs", complex_normal(2, 3)),
        _example("unpairs", normal(3, 2)),
        _example("frexp", normal(4)),
    ]


def along_axes() -> list[Example]:
    with_zero = np.array([[1.5, 0.0, -2.0, 0.5], [0.3, 1.2, 0.7, -1.0], [0.0, 2.0, 0.0, 1.0]])
    made = [
        _example(name, x, axis=1)
        for name in ("cumsum", "cumprod", "prod", "softmax", "log_softmax", "logcumsumexp")
        for x in (normal(2, 4), complex_normal(2, 3))
    ]
    made += [_example(name, with_zero, axis=1) for name in ("prod", "cumprod")]
    made += [
        _example("recurrence", normal(2, 4), normal(2, 4), axis=1),
        _example("recurrence", complex_normal(2, 3), complex_normal(2, 3), axis=1),
    ]
    made += [
        _example(name, distinct(3, 4), axis=1)
        for name in ("cummax", "cummin", "max_at", "min_at", "median_at", "nanmedian_at", "mode_at")
    ]
    made += [_example("sort", distinct(3, 4), axis=1, descending=one) for one in (False, True)]
    made += [_example(name, distinct(2, 3, 2), axes=(0, 2)) for name in ("max", "min")]
    made += [_example(name, distinct(5), axes=(0,)) for name in ("median", "nanmedian")]
    made += [
        _example(name, x, axes=(0, 2))
        for name in ("sum", "logsumexp")
        for x in (normal(2, 3, 2), complex_normal(2, 1, 2))
    ]
    made += [_example("var", x, axes=(1,), correction=1.0) for x in (normal(2, 4), complex_normal(2, 3))]
    orders = (-np.inf, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf)
    made += [_example("norm", distinct(2, 3) + 0.05, axes=(1,), p=p) for p in orders]
    made += [_example("norm", complex_normal(2, 3), axes=(1,), p=p) for p in (1.0, 2.0, 3.0)]
    return made


def products() -> list[Example]:
    windows = {"stride": (2,), "padding": ((1, 0),), "dilation": (1,)}
    conv = windows | {"groups": 1}
    square = normal(2, 3, 3)
    return [
        _example("matmul", normal(2, 2, 3), normal(2, 3, 2)),
        _example("matmul", complex_normal(2, 3), complex_normal(3, 2)),
        _example("fourier", complex_normal(2, 3), axes=(0, 1), forward=True),
        _example("fourier", complex_normal(2, 3), axes=(1,), forward=False),
        _example("half_fourier", normal(2, 5), axis=1),
        _example("whole", complex_normal(2, 3), axis=1, size=5),
        _example("whole", complex_normal(2, 3), axis=1, size=4),
        _example("conv", normal(2, 2, 5), normal(3, 2, 2), **conv),
        _example("conv_input", normal(2, 3, 3), normal(3, 2, 2), size=(5,), **conv),
        _example("conv_weight", normal(2, 2, 5), normal(2, 3, 3), kernel=(2,), **conv),
        _example("unfold", normal(2, 2, 5), kernel=(2,), **windows),
        _example("fold", normal(2, 4, 3), size=(5,), kernel=(2,), **windows),
        _example("inverse", square),
        _example("cofactor", square),
        _example("det", square),
        _example("slogdet", square),
        _example("solve", square, normal(2, 3, 2)),
        _example("solve_triangular", square + 3 * np.eye(3), normal(2, 3, 2), upper=True, unit=False),
        _example("standardized", normal(3, 5), before=_with_moments, axes=(1,)),
        _example("standardized", normal(2, 3, 2), before=_with_moments, axes=(0, 2)),
        _example("cholesky", square + 4 * np.eye(3), before=_symmetric),
        _example("eigh", square, before=_symmetric, upper=False),
        _example("qr", square, mode="reduced"),
        _example("svd", normal(3, 2), full=False),
    ]


def recurrent() -> list[Example]:
    """Layers of two steps and more, walked from either end, with results that no layer would give: the rules hold."""
    made: list[Example] = []
    for steps, batch, size, reverse in ((3, 2, 2, False), (2, 1, 3, True), (1, 2, 1, False)):
        seen, state = (steps, batch, size), (batch, size)
        gates, weight = (steps, batch, 4 * size), normal(4 * size, size)
        kept = weight, normal(*state), normal(*seen), normal(*gates)
        made += [
            _example("lstm", normal(*gates), normal(*state), normal(*state), weight, reverse=reverse),
            _example("lstm_gradient", normal(*seen), normal(*seen), *kept, reverse=reverse),
            _example("lstm_gradient", normal(*seen), normal(0, batch, size), *kept, reverse=reverse),
            _example("lstm_tangent", normal(*gates), normal(*state), normal(*state), *kept, reverse=reverse),
        ]
        gates, weight = (steps, batch, 3 * size), normal(3 * size, size)
        kept = weight, normal(*state), normal(*seen), normal(steps, batch, 4 * size)
        made += [
            _example("gru", normal(*gates), normal(*state), weight, normal(size), reverse=reverse),
            _example("gru_gradient", normal(*seen), *kept, reverse=reverse),
            _example("gru_tangent", normal(*gates), normal(*gates), normal(*state), *kept, reverse=reverse),
        ]
        for function in ("tanh", "relu"):
            kept, how = (normal(size, size), normal(*seen)), {"reverse": reverse, "function": function}
            made += [
                _example("rnn", normal(*seen), normal(*state), kept[0], **how),
                _example("rnn_gradient", normal(*seen), *kept, **how),
                _example("rnn_tangent", normal(*seen), normal(*state), *kept, **how),
            ]
    return made


def attended() -> list[Example]:
    """Attention with and without masks; its gradient at results that attention has given, which the rules rely on."""
    made: list[Example] = []
    none, some = np.zeros(0, bool), np.array([[True, False, True], [False, True, False]])
    added = np.array([[0.5, -1.0, 0.2], [-np.inf, 0.3, -np.inf]])
    for mask, causal in ((none, False), (none, True), (some, False), (added, False)):
        mask = np.broadcast_to(mask, (2, 2, 2, 3)).copy() if mask.size else mask
        operands = normal(2, 2, 2, 2), normal(2, 2, 3, 2), normal(2, 2, 3, 1), mask

        def results(from_out: Any, *operands: Any, how: Any = causal) -> tuple[Any, ...]:
            return from_out, *operands, *registry["attention"](*operands, causal=how, scale=0.7)

        made += [
            Example(registry["attention"], operands, {"causal": causal, "scale": 0.7}, fixed=(3,)),
            Example(
                registry["attention_gradient"],
                (normal(2, 2, 2, 1), *operands),
                {"causal": causal, "scale": 0.7},
                results,
                fixed=(4,),
            ),
        ]
    return made


EXAMPLES = elementwise() + movement() + along_axes() + products() + recurrent() + attended()
