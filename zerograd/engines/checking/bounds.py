"""How far an engine's values may be from the reference's: errors followed through a graph, element by element.

For every value there is an array of bounds, or ``None`` where the bits must agree. A bound has two parts: what the
bounds of the operands lead to (``propagation``), and what the op may be off by itself (``local``, from the table in
``tolerances``). Where a small error may turn into any other value (a comparison of numbers that are nearly equal, the
place of a maximum that another element nearly reaches, a division by what may be 0, an overflow at the edge), the
bound is infinite: that element is *undecided*, and nothing is asked of it or of what depends on it. So nothing has to
be avoided when graphs are drawn, and no difference that is found is an accident of rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from zerograd.engines.checking import local, propagation
from zerograd.engines.checking.step import SIGNIFICANT, Bound, Step, size_of, wide
from zerograd.engines.checking.tolerances import STRICT, Freedoms, largest
from zerograd.engines.checking.trial import Values, above, arrays_in, types_of
from zerograd.ir.graph import Array, Node, TensorType, leaf, output

EDGE = 1e-5  # numbers this near to the largest one may overflow, relatively


def bounds_of(
    outputs: Iterable[Node], values: Values, freedoms: Freedoms = STRICT, known: dict[Node, Any] | None = None
) -> dict[Node, Any]:
    """The bound of every node above ``outputs``; a tuple for a node with several results.

    Args:
        known: the bounds that are known already; those found are added to it.
    """
    found: dict[Node, Any] = {} if known is None else known
    with np.errstate(all="ignore"):
        for node in above(tuple(outputs), found):
            if node in found:
                continue
            found[node] = _bound(node, values, found, freedoms)
    return found


def _bound(node: Node, values: Values, found: Mapping[Node, Any], freedoms: Freedoms) -> Any:
    if node.op is leaf:
        return None
    if node.op is output:
        whole = found[node.inputs[0]]
        return whole[node.attributes["index"]] if isinstance(whole, tuple) else whole
    xs = tuple(np.asarray(values[one]) for one in node.inputs)
    step = Step(node, xs, tuple(found[one] for one in node.inputs), arrays_in(values[node]), freedoms)
    arrived = propagation.arrived(step)
    own = local.own(step)
    results = tuple(map(lambda *parts: _settled(step, *parts), types_of(node), range(len(step.outs)), arrived, own))
    return results if isinstance(node.type, tuple) else results[0]


def _settled(step: Step, type: TensorType, place: int, arrived: Bound, own: Bound) -> Bound:
    """Both parts together; infinities and NaN either certain or undecided."""
    out = step.outs[place]
    if not type.dtype.is_inexact:
        return _all_or_nothing(arrived, own, out)
    if arrived is None and own is None:
        return None
    total = np.zeros(out.shape)
    for part in (arrived, own):
        if part is not None:
            total = total + np.where(np.isnan(part), np.inf, part)
    total = _beyond_numbers(step, type, place, np.broadcast_to(total, out.shape))
    return total if total.any() else None


def _all_or_nothing(arrived: Bound, own: Bound, out: Array) -> Bound:
    """Whole numbers and truth values are certain or undecided."""
    unsure = np.zeros(out.shape, np.bool_)
    for part in (arrived, own):
        if part is not None:
            unsure = unsure | ~(part <= SIGNIFICANT)
    return np.where(unsure, np.inf, 0.0) if unsure.any() else None


def _beyond_numbers(step: Step, type: TensorType, place: int, total: Array) -> Array:
    """The bounds where the result is not finite, or nearly too large to be."""
    out = step.outs[place]
    limit = largest(type.dtype)
    size = size_of(out)
    beyond = ~np.isfinite(size)
    if not beyond.any() and not (size > limit * (1 - EDGE)).any() and not (size + total > limit).any():
        return total
    exact = step.wide_outs()
    certain = np.zeros(out.shape, np.bool_)
    if exact is not None:
        other = np.broadcast_to(exact[place], out.shape)
        certain = np.where(np.isfinite(other), size_of(other) - total > limit * (1 + EDGE), np.isfinite(total))
        certain &= ~np.isfinite(other) | ~np.isnan(size)
    if type.dtype.is_complex and step.node.op.name not in propagation.EXACT_FOR_COMPLEX:
        certain[...] = False
    if step.node.op.elementwise and step.node.op.name not in ("where", "fmax", "fmin"):
        for x, e in zip(step.xs, step.es, strict=True):  # a NaN that is certain goes on to the result
            known = np.isnan(wide(x)) & (True if e is None else e == 0)
            certain = certain | (known & np.isnan(size))
    near = ~beyond & ((size > limit * (1 - EDGE)) | (size + total > limit)) & (total > 0)
    return np.where(beyond, np.where(certain, 0.0, np.inf), np.where(near, np.inf, total))
