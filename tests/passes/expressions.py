"""Leaves to make graphs of, and graphs as short texts: ``reshape(a, shape=(6,))``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines import reference
from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ir.traverse import topological
from zerograd.ops.source import full

NAMES = ("a", "b", "v", "c", "column", "cube", "places", "number", "half", "places_of_half")


_HIDDEN = {"expand": ("shape",), "iota": ("dtype",)}


def an_input(slot: int, shape: tuple[int, ...], kind: dtype = dtypes.float64, *, weak: bool = False) -> Node:
    """The leaf of a slot, which is shown by its name."""
    type = TensorType(shape, kind, weak)
    return Node(leaf, (), {"slot": slot, "type": type}, type, False)


def text(node: Node) -> str:
    """A node as an expression, without the shapes of constants and expansions."""
    if node.op is leaf:
        return NAMES[node.attributes["slot"]]
    if node.op is full:
        return str(node.attributes["fill"])
    at = node.attributes
    operands = [text(one) for one in node.inputs]
    if "starts" in at:
        places = zip(at["starts"], at["stops"], at["steps"], strict=True)
        box = ", ".join(f"{a}:{b}" if step == 1 else f"{a}:{b}:{step}" for a, b, step in places)
        return f"{operands[0]}[{box}]" if node.op.name == "slice" else f"write({operands[0]}, [{box}], {operands[1]})"
    operands += [f"{name}={value}" for name, value in at.items() if name not in _HIDDEN.get(node.op.name, ())]
    return f"{node.op.name}({', '.join(operands)})"


def some_data(nodes: Sequence[Node]) -> list[Any]:
    """For each leaf slot an array with all sorts of numbers in it, NaN and infinities too."""
    slots: dict[int, Any] = {}
    numbers = np.random.default_rng(0)
    for node in topological(nodes):
        if node.op is leaf:
            type = node.type
            if type.weak:
                slots[node.attributes["slot"]] = 0.1
            elif type.dtype.is_inexact:
                array = numbers.integers(-6, 7, type.shape) / 4
                array.flat[: array.size // 4] = numbers.choice([np.nan, np.inf, -np.inf, 0.0], array.size // 4)
                slots[node.attributes["slot"]] = array.astype(type.dtype.numpy)
            else:
                slots[node.attributes["slot"]] = numbers.integers(0, 2, type.shape).astype(type.dtype.numpy)
    return [slots.get(i, 0.0) for i in range(max(slots, default=-1) + 1)]


def same_values(before: Sequence[Node], after: Sequence[Node], data: list[Any], tolerance: float = 1e-9) -> bool:
    """Whether two graphs compute the same on the reference engine, up to rounding and the sign of zeros."""
    pairs = zip(reference.compile(tuple(before))(data), reference.compile(tuple(after))(data), strict=True)
    return all(close(x, y, tolerance) for x, y in pairs)


def close(x: Any, y: Any, tolerance: float) -> bool:
    """Equal shapes and types, and elements as near as the tolerance, which is for the largest of them."""
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    if x.dtype.kind in "biu" or not x.size:
        return bool(np.array_equal(x, y))
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    x, y = x.astype(wide), y.astype(wide)
    finite = np.isfinite(x)
    size = float(np.max(np.abs(x[finite]), initial=1e-6))
    return bool(np.allclose(x, y, rtol=tolerance, atol=tolerance * size, equal_nan=True))
