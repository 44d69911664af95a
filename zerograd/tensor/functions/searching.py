"""Places in ordered rows, membership."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.dtypes import int32, int64
from zerograd.ir.graph import Node
from zerograd.ops import elementwise, indexing
from zerograd.ops import sorting as ops
from zerograd.ops.elementwise import convert
from zerograd.ops.movement import reshape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, promote
from zerograd.tensor.functions.refusals import REAL, require


def _searchsorted(line: Node, values: Node, order: Node | None, right: bool, narrow: bool) -> Node:
    require("searchsorted", line, REAL)
    require("searchsorted", values, REAL)
    if not line.shape:
        raise errors.runtime("searchsorted: boundaries need at least one dimension", boundaries=line.type)
    if order is not None:
        if order.dtype is not int64 or order.shape != line.shape:
            raise errors.runtime("searchsorted: sorter must be int64 and have the boundaries' shape", sorter=order.type)
        line = indexing.gather(line, order, axis=line.rank - 1)
    if line.rank > 1 and line.rank != values.rank:
        raise errors.runtime(
            "searchsorted: boundaries must be 1-dimensional, or have the values' dimensions but for the last",
            boundaries=line.type,
            values=values.type,
        )
    line, values = promote(line, values)
    found = ops.searchsorted(line, values, right=right)
    return convert(found, int32) if narrow else found


@accepts_out
def searchsorted(
    sorted_sequence: Any, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Any = None,
) -> Any:  # fmt: skip
    """Where to insert ``input`` into ascending rows: before equal elements, or after them. Source: torch.searchsorted.

    Raises:
        RuntimeError: shapes that do not fit, or side="left" with right=True.
    """
    if side not in (None, "left", "right"):
        raise errors.runtime(f'searchsorted knows the sides "left" and "right", not {side!r}')
    if side == "left" and right:
        raise errors.runtime('searchsorted: side="left" and right=True contradict each other; give one of them')
    return apply(_searchsorted, (sorted_sequence, input, sorter), (right or side == "right", out_int32))


@accepts_out
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Which of the intervals between ascending ``boundaries`` holds each element. Source: torch.bucketize."""
    if not isinstance(boundaries, TensorBase) or len(boundaries._shape) != 1:
        raise errors.runtime("bucketize: boundaries must be a 1-dimensional tensor")
    return apply(_searchsorted, (boundaries, input, None), (right, out_int32))


def _isin(x: Node, members: Node, invert: bool) -> Node:
    require("isin", x, REAL)
    require("isin", members, REAL)
    x, members = promote(x, members)
    found = ops.isin(x, reshape(members, shape=(members.type.count,)), invert=invert)
    return found if x.shape else elementwise.copy(found)


@accepts_out
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element is among ``test_elements`` (is not, with ``invert``). Source: torch.isin."""
    return apply(_isin, (elements, test_elements), (invert,))


METHODS: dict[str, Any] = {}
IN_PLACE = ()
