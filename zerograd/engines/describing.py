"""What nodes compute, said for people and in numbers: names, lines, floating-point operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from os.path import basename
from typing import Any

from zerograd.ir.graph import Node, leaf, output
from zerograd.ir.origins import Origin, origins
from zerograd.shapes import count

MOST_NAMES = 5
_SILENT = frozenset(["reshape", "expand", "permute", "cast", "full", "copy", "leaf", "output"])
"""Ops that are named only where there is nothing else to name: they move, and compute nothing."""


def title(nodes: Sequence[Node]) -> str:
    """``add+relu+sum [768, 512]``: the ops in their order, and the largest shape among their results."""
    if not nodes:
        return "copy"
    counted = [node for node in nodes if node.op not in (leaf, output)] or list(nodes)
    names = [node.op.name for node in counted if node.op.name not in _SILENT] or [node.op.name for node in counted]
    short = list(dict.fromkeys(names))
    if len(short) > MOST_NAMES:
        short = [*short[: MOST_NAMES - 1], f"{len(short) - MOST_NAMES + 1} more"]
    shapes = [one.shape for node in counted for one in _types(node)]
    shape = max(shapes, key=lambda shape: (count(shape), len(shape)), default=())
    if len(counted) == 1 and counted[0].op.name == "matmul":
        left, right = counted[0].inputs
        return f"matmul {list(left.shape)} @ {list(right.shape)}"
    return f"{'+'.join(short)} {list(shape)}"


def origin(nodes: Sequence[Node]) -> Origin | None:
    """The line that most of the nodes come from; of two with as many, the one that is met first."""
    found = Counter(one for node in nodes if (one := origins.of.get(node)) is not None)
    return found.most_common(1)[0][0] if found else None


def place(line: str) -> str:
    """``train.py:12`` for the line of a file anywhere."""
    return basename(line)


def flops(node: Node) -> int:
    """Floating-point operations of products and convolutions; 0 for everything else, which memory limits."""
    rule = _FLOPS.get(node.op.name)
    if rule is None:
        return 0
    return rule(node) * (4 if _types(node)[0].dtype.is_complex else 1)


def _matmul(node: Node) -> int:
    return 2 * node.type.count * node.inputs[0].shape[-1]


def _conv(node: Node) -> int:
    return 2 * node.type.count * prod(node.inputs[1].shape[1:])


def _conv_input(node: Node) -> int:
    return 2 * node.inputs[0].type.count * prod(node.inputs[1].shape[1:])


def _conv_weight(node: Node) -> int:
    return 2 * node.inputs[1].type.count * prod(node.shape[1:])


def _recurrent(node: Node) -> int:
    """The product with the weights of the states, once in each step for each sequence."""
    steps = next(one for one in node.inputs if one.rank == 3)
    return 2 * prod(steps.shape[:2]) * node.inputs[node.op.inputs.index("w")].type.count


def _attention(products: int) -> Callable[[Node], int]:
    """So many products, each of all pairs of a query and a key; causal: half of them."""

    def rule(node: Node) -> int:
        q, _, v = node.inputs[node.op.inputs.index("q") :][:3]
        columns = q.shape[3] * (products - products // 2) + v.shape[3] * (products // 2)
        pairs = prod(q.shape[:3]) * v.shape[2]
        return 2 * pairs * columns // (2 if node.attributes["causal"] else 1)

    return rule


_FLOPS = {
    "matmul": _matmul, "conv": _conv, "conv_input": _conv_input, "conv_weight": _conv_weight,
    "attention": _attention(2), "attention_gradient": _attention(5),
    **dict.fromkeys(("lstm", "lstm_gradient", "gru", "gru_gradient", "rnn", "rnn_gradient"), _recurrent),
}  # fmt: skip


def nbytes(node: Node) -> int:
    """Bytes of the result."""
    return sum(one.nbytes for one in _types(node))


def _types(node: Node) -> Any:
    return node.type if isinstance(node.type, tuple) else (node.type,)
