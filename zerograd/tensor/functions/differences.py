"""Differences and areas along a dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import bool_
from zerograd.ir.graph import Node
from zerograd.ops import bitwise, elementwise, reduction, scan
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import broadcast_to, cat, narrow, reshape
from zerograd.shapes import axes as all_axes
from zerograd.shapes import axis as one_axis
from zerograd.tensor.door import apply, promote, together
from zerograd.tensor.functions.dimensions import along_dims, dropped, static_dim, static_dims


def _head(x: Node, axis: int) -> Node:
    return narrow(x, axis, 0, max(x.shape[axis] - 1, 0))


def _tail(x: Node, axis: int) -> Node:
    return narrow(x, axis, min(1, x.shape[axis]), x.shape[axis])


# --- differences -----------------------------------------------------------------------------------------


def _diff(x: Node, before: Node | None, after: Node | None, n: int, dim: int) -> Node:
    if not x.shape:
        raise errors.runtime("diff: a number has no neighbours to subtract", input=x.type)
    axis = one_axis(dim, x.rank)
    given = [one for one in (before, x, after) if one is not None]
    if len(given) > 1:
        x = cat(*promote(*given), axis=axis)
    if n == 0:
        return elementwise.copy(x)
    for _ in range(min(n, x.shape[axis])):
        minus = bitwise.bit_xor if x.dtype is bool_ else elementwise.sub
        x = minus(_tail(x, axis), _head(x, axis))
    return x


_diff.label = "SubBackward0"  # pyright: ignore[reportFunctionMemberAccess]


@along_dims
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The ``n``-th differences of neighbours along ``dim``. Source: torch.diff."""
    if n < 0:
        raise errors.runtime(f"diff is taken 0 times or more, not {n}")
    return apply(_diff, (input, prepend, append), (n, static_dim(dim)))


# --- areas -----------------------------------------------------------------------------------------------


def _strips(y: Node, x: Node | None, dx: Node | None, dim: int) -> tuple[Node, int]:
    """Twice the area between neighbours, and the axis along which they lie."""
    if not y.shape:
        raise errors.runtime("trapezoid: y needs at least one dimension", y=y.type)
    axis = one_axis(dim, y.rank)
    sums = elementwise.add(_head(y, axis), _tail(y, axis))
    if x is None:
        if dx is not None:
            sums = elementwise.mul(*together("trapezoid", sums, dx))
        return sums, axis
    if x.rank == 1:
        if x.shape[0] != y.shape[axis]:
            raise errors.runtime(f"trapezoid: x needs as many values as y has in dimension {axis}", x=x.type, y=y.type)
        points = reshape(x, shape=tuple(x.shape[0] if i == axis else 1 for i in range(y.rank)))
    else:
        points = reshape(x, shape=(1,) * (y.rank - x.rank) + x.shape)
    step = elementwise.sub(_tail(points, axis), _head(points, axis))
    step, sums = together("trapezoid", step, sums)
    return elementwise.mul(step, sums), axis


def _halved(x: Node) -> Node:
    x = x if x.dtype.is_inexact else convert(x, dtypes.get_default_dtype())
    return elementwise.times(x, 0.5)


def _trapezoid(y: Node, x: Node | None, dx: Node | None, dim: int) -> Node:
    strips, axis = _strips(y, x, dx, dim)
    return dropped(reduction.sum(_halved(strips), axes=(axis,)), strips, (axis,), False)


def _cumulative_trapezoid(y: Node, x: Node | None, dx: Node | None, dim: int) -> Node:
    strips, axis = _strips(y, x, dx, dim)
    return scan.cumsum(_halved(strips), axis=axis)


_trapezoid.label = "MulBackward1"  # pyright: ignore[reportFunctionMemberAccess]
_cumulative_trapezoid.label = "CumsumBackward0"  # pyright: ignore[reportFunctionMemberAccess]


@along_dims
def trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The area below samples ``y`` at ``x``, or ``dx`` apart, by the trapezoid rule. Source: torch.trapezoid."""
    return apply(_trapezoid, (y, x, dx), (static_dim(dim),))


@along_dims
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The areas up to each sample by the trapezoid rule. Source: torch.cumulative_trapezoid."""
    return apply(_cumulative_trapezoid, (y, x, dx), (static_dim(dim),))


# --- slopes ----------------------------------------------------------------------------------------------


def _at(x: Node, axis: int, i: int) -> Node:
    i %= x.shape[axis]
    return narrow(x, axis, i, i + 1)


def _line(numbers: Node, x: Node, axis: int) -> Node:
    """Numbers along one axis, for use with ``x``."""
    return reshape(numbers, shape=tuple(numbers.shape[0] if i == axis else 1 for i in range(x.rank)))


def _scaled(x: Node, factor: Node) -> Node:
    return elementwise.mul(x, broadcast_to(factor, x.shape))


def _slope(x: Node, spacing: Node, axis: int, edge_order: int) -> Node:
    """Second-order differences inside, ``edge_order`` at the ends; ``spacing`` is a step or the coordinates."""
    n = x.shape[axis]
    if n < edge_order + 1:
        raise errors.runtime(
            f"gradient: each dimension needs at least edge_order + 1 = {edge_order + 1} elements",
            input=x.type,
        )
    if spacing.shape and spacing.shape != (n,):
        raise errors.runtime(f"gradient: expected {n} coordinates for dimension {axis}", coordinates=spacing.type)
    coordinates = spacing if spacing.shape else None
    if coordinates is None:
        step = broadcast_to(reshape(convert(spacing, x.dtype), shape=(1,) * x.rank), _one_less(x, axis))
    else:
        line = _line(convert(coordinates, x.dtype), x, axis)
        step = broadcast_to(elementwise.sub(_tail(line, axis), _head(line, axis)), _one_less(x, axis))
    rise = elementwise.div(elementwise.sub(_tail(x, axis), _head(x, axis)), step)
    h, k = _head(step, axis), _tail(step, axis)
    inside = elementwise.div(
        elementwise.add(elementwise.mul(_head(rise, axis), k), elementwise.mul(_tail(rise, axis), h)),
        elementwise.add(h, k),
    )
    first, last = _at(rise, axis, 0), _at(rise, axis, -1)
    if edge_order == 2:
        first = _extrapolated(first, _at(rise, axis, 1), _at(step, axis, 0), _at(step, axis, 1))
        last = _extrapolated(last, _at(rise, axis, -2), _at(step, axis, -1), _at(step, axis, -2))
    return cat(first, inside, last, axis=axis)


def _one_less(x: Node, axis: int) -> tuple[int, ...]:
    return tuple(n - 1 if i == axis else n for i, n in enumerate(x.shape))


def _extrapolated(near: Node, far: Node, h: Node, k: Node) -> Node:
    """The slope at the end of a parabola through three points."""
    bend = elementwise.div(elementwise.sub(near, far), elementwise.add(h, k))
    return elementwise.add(near, elementwise.mul(bend, h))


def _gradient(x: Node, spacings: tuple[Node, ...], dims: Any, edge_order: int) -> tuple[Node, ...]:
    axes = all_axes(dims, x.rank)
    if len(spacings) == 1 and not spacings[0].shape:
        spacings = spacings * len(axes)
    if len(spacings) != len(axes):
        raise errors.runtime(f"gradient: expected {len(axes)} spacings, one per dimension, got {len(spacings)}")
    x = x if x.dtype.is_inexact else convert(x, dtypes.get_default_dtype())
    return tuple([_slope(x, one, axis, edge_order) for one, axis in zip(spacings, axes, strict=True)])


_gradient.label = "CatBackward0"  # pyright: ignore[reportFunctionMemberAccess]


def gradient(input: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> Any:
    """The slope along each dimension from samples ``spacing`` apart, or at given coordinates. Source: torch.gradient.

    Raises:
        RuntimeError: edge_order is neither 1 nor 2, too few elements, or the wrong number of spacings.
    """
    if edge_order not in (1, 2):
        raise errors.runtime(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    if not isinstance(spacing, Sequence):
        spacing = (1 if spacing is None else spacing,)
    return apply(_gradient, (input, tuple(spacing)), (static_dims(dim), edge_order))


trapz = trapezoid
METHODS = {"diff": diff}
IN_PLACE = ()
