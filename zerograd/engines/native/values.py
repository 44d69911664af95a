"""What row kernels do with elements: load and store them, compute nodes, fold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import checks, choice, conversion, elementwise
from zerograd.engines.native.conversion import HALVES, MEMORY, load, register, store
from zerograd.engines.native.emit import Function, Value, lanes, size, vector
from zerograd.engines.native.ranges import never_positive
from zerograd.engines.native.windows import MOVES, memory_dtype
from zerograd.ir.graph import Node, TensorType
from zerograd.shapes import Shape

FOLDS = ("sum", "prod", "max", "min", "any", "all")
EXPENSIVE = 10
_PRICES: dict[str, int] = dict.fromkeys(
    ("add", "sub", "mul", "neg", "where", "cast", "relu", "copy", "eq", "ne", "lt", "le"), 1
)
_PRICES |= dict.fromkeys(("maximum", "minimum", "square", "abs", "gt", "ge", "bit_and", "bit_or", "bit_not"), 1)
_PRICES |= {"div": 3, "sqrt": 3, "rsqrt": 4, "reciprocal": 3, "clamp": 2}

_CHAINED = frozenset(
    ("erf", "exp", "exp2", "expm1", "log", "log1p", "logaddexp", "logaddexp2", "logit", "sigmoid", "softplus", "tanh")
)  # what is computed in double fills two registers anyway


def price(node: Node) -> int:
    """What computing an element costs, in cheap operations."""
    return _PRICES.get(node.op.name, 1 if node.op.name in MOVES else EXPENSIVE)


def chained(node: Node) -> bool:
    """Whether an op is a long chain of instructions of which each needs the one before."""
    return node.op.name in _CHAINED


def memory(kind: dtype) -> str:
    """The type of an element in memory."""
    return MEMORY[kind]


def supported(node: Node) -> bool:
    """Whether ``emit`` can compute an elementwise node, or the copy of a movement."""
    kinds = [memory_dtype(one.type) for one in node.inputs] + [memory_dtype(node.type)]
    if node.op.name in MOVES:
        return conversion.computable(*kinds)
    if node.op.name in checks.CHECKED:
        return conversion.computable(*kinds) and checks.supported(node.op.name, kinds)
    return elementwise.supported(form(node), kinds)


def emit(f: Function, node: Node, operands: list[Value], mask: Value | None = None) -> Value:
    """An element, or a vector of elements, of a node; the mask tells which lanes of a vector count."""
    if node.op.name in MOVES:
        return operands[0]
    kinds = [memory_dtype(one.type) for one in node.inputs]
    if node.op.name in checks.CHECKED:
        return checks.emit(f, node.op.name, node.attributes, kinds, operands, mask)
    return elementwise.emit(f, form(node), node.attributes, kinds, operands)


def form(node: Node) -> str:
    """The name of what computes a node: its op's, unless the operands or attributes allow a simpler way."""
    simpler = _SIMPLER.get(node.op.name)
    return simpler[0] if simpler is not None and simpler[1](node) else node.op.name


_SIMPLER: dict[str, tuple[str, Callable[[Node], bool]]] = {
    "exp": ("exp_of_falling", lambda node: never_positive(node.inputs[0])),
    "polygamma": ("trigamma", lambda node: node.attributes["n"] == 1),
}


def constant(f: Function, type: TensorType, number: Any, count: int) -> Value:
    """A number, as an array of that dtype would hold it."""
    kind = memory_dtype(type)
    if kind in HALVES:
        number = float(dtypes_rounded(number, kind))
    return f.const(number, register(kind, count))


def dtypes_rounded(number: Any, kind: dtype) -> Any:
    import numpy as np

    return np.asarray(number, np.float64).astype(kind.numpy)


# --- anywhere in memory ---------------------------------------------------------------------------------------------


def _addresses(f: Function, kind: dtype, base: Value, offsets: Value) -> Value:
    width = lanes(offsets.type)
    return f.value(f"<{width} x ptr>", f"getelementptr {MEMORY[kind]}, ptr {base.name}, {offsets.type} {offsets.name}")


def _short(type: str) -> str:
    return {"float": "f32", "double": "f64", "half": "f16"}.get(type, type)


def gather(f: Function, kind: dtype, base: Value, offsets: Value, mask: Value | None) -> Value:
    """Elements that lie ``offsets`` elements behind ``base``; 0 where the mask is false."""
    width, type = lanes(offsets.type), MEMORY[kind]
    if width == 1:
        return load(f, kind, 1, base, offsets)
    mask = mask or f.const(1, vector("i1", width))
    whole = vector(type, width)
    pointers = _addresses(f, kind, base, offsets)
    align = Value(str(size(type)), "i32")
    name = f"llvm.masked.gather.v{width}{_short(type)}.v{width}p0"
    return conversion.from_memory(f, f.call(name, whole, pointers, align, mask, f.const(0, whole)), kind)


def scatter(f: Function, kind: dtype, x: Value, base: Value, offsets: Value, mask: Value | None) -> None:
    """The inverse of ``gather``; offsets do not coincide."""
    width, type = lanes(offsets.type), MEMORY[kind]
    if width == 1:
        store(f, kind, x, base, offsets)
        return
    mask = mask or f.const(1, vector("i1", width))
    name = f"llvm.masked.scatter.v{width}{_short(type)}.v{width}p0"
    pointers = _addresses(f, kind, base, offsets)
    f.call(name, "void", conversion.to_memory(f, x, kind), pointers, Value(str(size(type)), "i32"), mask)


# --- folds ------------------------------------------------------------------------------------------------------------


def partial_dtype(kind: dtype) -> dtype:
    """In what sums of parts are kept."""
    return dtypes.float32 if kind in HALVES else kind


def folded_axes(node: Node) -> Shape:
    """The axes that a fold folds."""
    at = node.attributes
    return at["axes"] if "axes" in at else (at["axis"],)


def folds(node: Node) -> bool:
    """Whether row kernels can fold this node's operand."""
    kind = node.inputs[0].type.dtype
    if node.op.name not in FOLDS or not conversion.computable(kind) or node.inputs[0].type.weak:
        return False
    if node.op.name in ("any", "all"):
        return kind is dtypes.bool_
    return kind is not dtypes.bool_


def neutral(f: Function, node: Node, count: int) -> Value:
    """Where folding begins."""
    kind = node.inputs[0].type.dtype
    type = register(kind, count)
    match node.op.name:
        case "sum" | "any":
            return f.const(0, type)
        case "all" | "prod":
            return f.const(1, type)
        case name:
            low = name == "max"
            if kind.is_floating_point:
                return f.const(-math.inf if low else math.inf, type)
            bits = 8 * kind.itemsize
            if not kind.is_signed:
                return f.const(0 if low else (1 << bits) - 1, type)
            return f.const(-(1 << (bits - 1)) if low else (1 << (bits - 1)) - 1, type)


def combine(f: Function, node: Node, x: Value, y: Value) -> Value:
    """Two parts of a fold as one."""
    kind = node.inputs[0].type.dtype
    match node.op.name:
        case "sum":
            return f.add(x, y)
        case "prod":
            return f.mul(x, y)
        case "any":
            return f.or_(x, y)
        case "all":
            return f.and_(x, y)
        case "max":
            return choice.maximum(f, kind, x, y)
        case _:
            return choice.minimum(f, kind, x, y)


def rounded(f: Function, x: Value, kind: dtype) -> Value:
    """The result of a fold as its dtype has it."""
    return conversion.round_to(f, x, kind)


__all__ = [
    "FOLDS", "chained", "combine", "constant", "emit", "folded_axes", "folds", "form", "gather", "load", "memory",
    "neutral", "partial_dtype", "price", "register", "rounded", "scatter", "store", "supported",
]  # fmt: skip
