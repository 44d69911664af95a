"""What random draws leave in a graph. They themselves are data, made when the program asks for them."""

from __future__ import annotations

from zerograd.ir.graph import Node, Op, TensorType
from zerograd.ops.source import filled


def _no_slope(parameter_type: TensorType) -> Node:
    return filled(0, parameter_type)


sampled = Op(
    "sampled",
    lambda values, parameter: values,
    lambda values, parameter: values,
    (None, _no_slope),
)
"""``values``, which were drawn, with the history of ``parameter``: no gradient reaches it but zeros."""
