"""What normalizations have in common: numbers of mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node, Op, TensorType
from zerograd.ops.elementwise import mul, sub
from zerograd.ops.movement import broadcast_to
from zerograd.ops.reduction import folded, mean_of
from zerograd.shapes import Shape


def _infer_standardized(x: TensorType, mean: TensorType, factor: TensorType, *, axes: Shape) -> TensorType:
    small = folded(x, axes)
    if mean is not small or factor is not small:
        raise errors.runtime("standardized needs a mean and a factor for each row", x=x, mean=mean, factor=factor)
    return x


def _gradient(grad: Node, out: Node, factor: Node, axes: Shape) -> Node:
    """factor * (grad - mean(grad) - out * mean(grad * out)): all that x does, also by the mean and the factor."""
    shape = grad.shape
    along = mul(out, broadcast_to(mean_of(mul(grad, out), axes), shape))
    rest = sub(sub(grad, broadcast_to(mean_of(grad, axes), shape)), along)
    return mul(rest, broadcast_to(factor, shape))


def _nothing(grad: Node) -> Node | None:
    return None


def _reference_standardized(x: Any, mean: Any, factor: Any, *, axes: Shape) -> Any:
    return (x - mean) * factor


standardized = Op("standardized", _infer_standardized, _reference_standardized, (_gradient, _nothing, _nothing))
"""(x - mean) * factor with the mean of x along axes and factor = 1 / sqrt(variance + eps), which have to be those of x:
its gradient knows them as functions of x, so that the result and the factor are all that is kept."""
