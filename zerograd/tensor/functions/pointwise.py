"""Functions of each element alone."""

from __future__ import annotations

from zerograd.ir.graph import Node, Op
from zerograd.ops import elementwise as ops
from zerograd.tensor.door import Body, floats, labelled, unary


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


@labelled("ReluBackward0")
def _relu(x: Node) -> Node:
    """max(x, 0) of each element. Source: torch.relu."""
    return ops.relu(x)


relu = unary(_relu)

METHODS = {
    "exp": exp, "log": log, "sqrt": sqrt, "tanh": tanh, "sigmoid": sigmoid, "sin": sin, "cos": cos, "relu": relu,
}  # fmt: skip
IN_PLACE = tuple(METHODS)
