"""Rows of a table looked up by number, alone or in bags."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.record import grad_mode
from zerograd.nn.functional.classes import rows, verified
from zerograd.nn.functional.geometry import known_again
from zerograd.ops import elementwise as ew
from zerograd.ops.elementwise import (
    convert,
    div,
    eq,
    graft,
    gt,
    kept_where,
    mul,
    plus,
    stop,
    where,
    zeroed_where,
)
from zerograd.ops.indexing import gather, index, index_write
from zerograd.ops.movement import expand, reshape
from zerograd.ops.reduction import any as any_of
from zerograd.ops.reduction import argmax, norm
from zerograd.ops.source import filled, ones_like
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled

INTEGERS = (dtypes.int64, dtypes.int32)


class Lookup:
    """How rows are looked up.

    Attributes:
        name: the public function.
        padding: the row that gets no gradient.
        by_frequency: divide a row's gradient by how often it is looked up.
        known: the places are known to be in range.
    """

    __slots__ = ("by_frequency", "known", "name", "padding")

    def __init__(self, name: str, padding: int | None, by_frequency: bool, known: bool) -> None:
        self.name, self.padding, self.by_frequency, self.known = name, padding, by_frequency, known


_lookup = known_again(Lookup)


def _looked_up(weight: Node, places: Node, how: Lookup) -> tuple[Node, Node]:
    """The rows [*places, width], and the places as int64."""
    places = rows(how.name, places, weight.shape[0], how.known)
    found = index(weight, places)
    given = found
    if how.by_frequency:
        found = mul(found, _across(ew.reciprocal(_frequencies(places, weight)), found))
    if how.padding is not None:
        found = zeroed_where(_across(_is(places, how.padding), found), found)
    return (given if found is given else graft(stop(given), found)), places


def _is(places: Node, row: int) -> Node:
    return eq(places, filled(row, places.type))


def _across(x: Node, like: Node) -> Node:
    """One value per row, repeated across the rows of ``like``."""
    return expand(reshape(x, shape=(*x.shape, 1)), shape=like.shape)


def _frequencies(places: Node, weight: Node) -> Node:
    """How often each place occurs, in the weight's dtype."""
    ones = filled(1, TensorType(places.shape, weight.dtype))
    counts = index_write(filled(0, TensorType((weight.shape[0],), weight.dtype)), ones, places, accumulate=True)
    return index(counts, places)


def _check_places(name: str, places: Any) -> None:
    if not isinstance(places, TensorBase):
        raise errors.type_(f"{name}(): argument 'indices' must be Tensor, not {type(places).__name__}")
    if places.dtype not in INTEGERS:
        raise errors.runtime(
            f"{name}: expected the indices to be int64 or int32", indices=places._type, hint="use .long()"
        )


@labelled("EmbeddingBackward0")
def _embedding(weight: Node, places: Node, how: Lookup) -> Node:
    return _looked_up(weight, places, how)[0]


def _padding(padding_idx: int | None, count: int) -> int | None:
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise AssertionError(f"padding_idx must be within num_embeddings, {count}, got {padding_idx}")
    return padding_idx % count


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of ``weight`` (rows, width) that ``input`` (*) names: (*, width).

    Args:
        padding_idx: the row that gets no gradient.
        max_norm: rows that are looked up and have a larger norm are scaled down in place first.
        norm_type: which norm.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        sparse: accepted; gradients are dense.
    Raises:
        IndexError: a row that does not exist.
        RuntimeError: indices that are no integers, or a weight that is no table.
        AssertionError: padding_idx names no row.
    Source: torch.nn.functional.embedding.
    """
    _check_places("embedding", input)
    if len(weight._shape) != 2:
        raise errors.runtime("embedding: 'weight' must be 2-D", weight=weight._type)
    known = verified("embedding", input, weight._shape[0])
    padding = _padding(padding_idx, weight._shape[0])
    if max_norm is not None:
        limit_norms(weight, input, float(max_norm), float(norm_type))
    return apply(_embedding, (weight, input), (_lookup("embedding", padding, bool(scale_grad_by_freq), known),))


def _renormed(weight: Node, named: Node, limit: float, p: float) -> Node:
    """``weight`` with the named rows scaled down to the limit where their norm exceeds it."""
    found = index(weight, named)
    size = norm(found, axes=(1,), p=p)
    scale = div(filled(limit, size.type), plus(size, 1e-7))
    factor = where(gt(size, filled(limit, size.type)), scale, ones_like(size))
    return index_write(weight, mul(found, expand(factor, shape=found.shape)), named, accumulate=False)


def limit_norms(weight: Any, places: Any, limit: float, p: float) -> None:
    named = np.unique(places._array()).astype(np.int64)
    tensor = TensorBase.of_array(named, TensorType(named.shape, dtypes.int64))
    with grad_mode(False):
        weight._assign(apply(_renormed, (weight, tensor), (limit, p))._node())


# --- bags ------------------------------------------------------------------------------------------------


def _pooled(weight: Node, places: Node, bags: Node, shares: Node | None, how: Lookup, mean: bool, count: int) -> Node:
    """Sums (or means) of the rows at 1-d places by bag."""
    found, places = _looked_up(weight, places, how)
    if shares is not None:
        found = mul(found, _across(convert(shares, found.dtype), found))
    if how.padding is not None:
        found = zeroed_where(_across(_is(places, how.padding), found), found)
    out = index_write(filled(0, TensorType((count, weight.shape[1]), found.dtype)), found, bags, accumulate=True)
    if not mean:
        return out
    members = filled(1, TensorType(places.shape, found.dtype))
    if how.padding is not None:
        members = zeroed_where(_is(places, how.padding), members)
    sizes = index_write(filled(0, TensorType((count,), found.dtype)), members, bags, accumulate=True)
    return div(out, _across(ew.maximum(sizes, ones_like(sizes)), out))


@labelled("EmbeddingBagBackward0")
def _sum_bags(weight: Node, places: Node, bags: Node, shares: Node | None, how: Lookup, count: int) -> Node:
    return _pooled(weight, places, bags, shares, how, False, count)


@labelled("EmbeddingBagBackward0")
def _mean_bags(weight: Node, places: Node, bags: Node, shares: Node | None, how: Lookup, count: int) -> Node:
    return _pooled(weight, places, bags, shares, how, True, count)


@labelled("EmbeddingBagBackward0")
def _max_bags(weight: Node, places: Node, members: Node, inside: Node, how: Lookup) -> Node:
    """The greatest elements of each bag's rows; members [bags, longest] are positions in ``places``."""
    named = index(rows(how.name, places, weight.shape[0], how.known), members)
    found = index(weight, named)
    if how.padding is not None:
        inside = zeroed_where(_is(named, how.padding), inside)
    lowest = filled(float("-inf"), found.type)
    best = argmax(where(_across(inside, found), found, lowest), axis=1)
    width = found.shape[2]
    out = reshape(gather(found, best, axis=1), shape=(found.shape[0], width))
    empty = any_of(inside, axes=(1,))
    return kept_where(expand(empty, shape=out.shape), out)


def _bag_numbers(offsets: Array, count: int, total: int) -> Array:
    """For each of ``total`` positions, the bag it is in."""
    return np.searchsorted(offsets[:count], np.arange(total), side="right") - 1


def _members(bags: Array, count: int) -> tuple[Array, Array]:
    """[bags, longest]: the positions of each bag, and whether there is one."""
    sizes = np.bincount(bags, minlength=count)
    starts = np.cumsum(sizes) - sizes
    places = np.arange(max(int(sizes.max(initial=0)), 1))
    inside = places < sizes[:, None]
    return np.where(inside, starts[:, None] + places, 0), inside


def _check_offsets(offsets: Array, total: int, include_last: bool) -> None:
    if include_last and not len(offsets):
        raise errors.runtime("embedding_bag: include_last_offset needs at least one offset")
    if len(offsets) and offsets[0] != 0:
        raise errors.runtime(f"embedding_bag: offsets[0] has to be 0, the start of the first bag, got {offsets[0]}")
    if len(offsets) and offsets[-1] > total:
        raise errors.runtime(
            f"embedding_bag: offsets[-1] cannot be greater than input's length {total}, got {offsets[-1]}"
        )


def _check_bags(input: Any, weight: Any, mode: str, shares: Any, by_frequency: bool, sparse: bool) -> None:
    if shares is not None and shares._shape != input._shape:
        raise errors.value(
            "embedding_bag needs one of per_sample_weights for each index",
            input=input._type,
            per_sample_weights=shares._type,
        )
    if len(weight._shape) != 2:
        raise errors.value("embedding_bag: the weight is a matrix, a vector in each row", weight=weight._type)
    if len(input._shape) not in (1, 2):
        raise errors.value(
            "embedding_bag: the input is a vector of indices, or a matrix with a bag in each row", input=input._type
        )
    if mode not in ("sum", "mean", "max"):
        raise errors.value(f'embedding_bag knows the modes "sum", "mean" and "max", not {mode!r}')
    if mode == "max" and (by_frequency or sparse):
        raise errors.value("embedding_bag: max mode supports neither scaling the gradient by frequency nor sparse")
    if shares is not None and mode != "sum":
        raise NotImplementedError(
            errors.message(
                f'embedding_bag weighs samples (per_sample_weights) only where it sums: mode="sum", not {mode!r}'
            )
        )


def _layout(input: Any, offsets: Any, include_last: bool) -> tuple[Array, int]:
    """The bag of each position, and the number of bags."""
    if len(input._shape) == 2:
        if offsets is not None:
            raise errors.value("embedding_bag: if input is 2D, its rows are the bags and offsets has to be None")
        count, size = input._shape
        return np.repeat(np.arange(count), size), count
    if offsets is None or len(offsets._shape) != 1:
        raise errors.value("embedding_bag: offsets are a vector, the start of each bag", got=offsets and offsets._type)
    starts = offsets._array()
    total = input._shape[0]
    _check_offsets(starts, total, include_last)
    count = len(starts) - include_last
    return _bag_numbers(starts, count, total), count


def _constant(array: Array) -> Any:
    kind = dtypes.bool_ if array.dtype == np.bool_ else dtypes.int64
    return TensorBase.of_array(array, TensorType(array.shape, kind))


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Sums, means or maxima of the rows of ``weight`` that each bag of numbers names: (bags, width).

    Args:
        input: (bags, size), or all bags one after the other, (total,).
        offsets: where in a 1D input each bag begins; computed at once.
        max_norm, norm_type, scale_grad_by_freq, sparse: see ``embedding``.
        mode: "sum", "mean" or "max"; an empty bag gives 0.
        per_sample_weights: factors of the rows, like ``input``; for sums only.
        include_last_offset: ``offsets`` ends with the total.
        padding_idx: a row that does not count.
    Raises:
        ValueError, RuntimeError: arguments that do not go together, or a row that does not exist.
    Source: torch.nn.functional.embedding_bag.
    """
    if weight.dtype is dtypes.int64 and input.dtype.is_floating_point:
        warnings.warn("embedding_bag takes (input, weight); (weight, input) is deprecated", stacklevel=2)
        weight, input = input, weight
    _check_bags(input, weight, mode, per_sample_weights, scale_grad_by_freq, sparse)
    bags, count = _layout(input, offsets, include_last_offset)
    _check_places("embedding_bag", input)
    known = verified("embedding_bag", input, weight._shape[0], error=errors.runtime)
    padding = None if padding_idx is None else padding_idx % weight._shape[0]
    if max_norm is not None:
        limit_norms(weight, input, float(max_norm), float(norm_type))
    how = _lookup("embedding_bag", padding, bool(scale_grad_by_freq), known)
    flat = input.reshape(-1)
    if mode == "max" and len(bags):
        members, inside = _members(bags, count)
        return apply(_max_bags, (weight, flat, _constant(members), _constant(inside)), (how,))
    shares = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    pool = _sum_bags if mode == "sum" else _mean_bags
    return apply(pool, (weight, flat, _constant(bags), shares), (how, count))
