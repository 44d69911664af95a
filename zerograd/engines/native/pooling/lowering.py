"""Pooling and resampling in a graph."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native.kernel import Access, Instruction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.pooling.windows import COLUMNS, MAXIMUM, NUMBERS, ROWS, SUM, Form
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node, output
from zerograd.ops.pooling import Table
from zerograd.shapes import Shape, count

KINDS = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
LONGEST = (1 << 31) - 1  # of a plane, whose places are i32
COST = 1.5  # nanoseconds for a vector of what windows read


class Tables:
    """Windows of planes, as the kernel reads them.

    Attributes:
        rows: [rows, row taps], ``columns``: [column taps, columns in whole vectors]: i32, -1 outside.
        count: how many columns there are.
        step: of neighbouring windows' readers along columns if it is 1 or 2 throughout, else 0.
    """

    __slots__ = ("columns", "count", "rows", "step")

    def __init__(self, rows: Any, columns: Any, lanes: int) -> None:
        self.rows = np.ascontiguousarray(rows, np.int32)
        self.count = len(columns)
        wide = max(self.count, lanes)
        self.columns = np.full((columns.shape[1], wide), -1, np.int32)
        self.columns[:, : self.count] = columns.T
        self.step = next((step for step in (1, 2) if self._steps(step)), 0)

    def _steps(self, step: int) -> bool:
        """Whether each reader inside lies where the first windows' readers and the step say."""
        base = self.columns[:, : self.count] - step * np.arange(self.count)
        inside = self.columns[:, : self.count] >= 0
        return all(len(np.unique(line[flags])) <= 1 for line, flags in zip(base, inside, strict=True))


def _array(table: Table) -> Any:
    return np.array(table, np.int64).reshape(len(table), len(table[0]) if table else 0)


@lru_cache(maxsize=256)
def _pooled(tables: tuple[Table, ...], size: Shape, lanes: int) -> Tables | None:
    """The tables of maxima over the last axes; ``None`` where a window reads nothing."""
    arrays = [_array(table) for table in tables]
    if any(not one.size or (one.max(axis=1) < 0).any() for one in arrays):
        return None
    offsets, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for axis, one in enumerate(arrays[:-1]):
        stride = count(size[axis + 1 :])
        shape = len(offsets) * one.shape[0], offsets.shape[1] * one.shape[1]
        offsets = (offsets[:, None, :, None] + stride * one[None, :, None, :]).reshape(shape)
        inside = (inside[:, None, :, None] & (one >= 0)[None, :, None, :]).reshape(shape)
    return Tables(np.where(inside, offsets, -1), arrays[-1], lanes)


def _lanes(kind: dtype) -> int:
    return max(host().lanes // (2 if kind is dtypes.float64 else 1), 2)


def _instruction(
    lowering: Lowering, form: Form, tables: Tables, x: Window, planes: int, writes: list[Window], weights: Any = None
) -> Instruction:
    """Windows of all planes."""
    held = [tables.rows, tables.columns] + ([] if weights is None else [weights])
    constants = [lowering.constant(one, form.kind) for one in held]
    rows, row_taps = tables.rows.shape
    taps, pitch = tables.columns.shape
    plane = count(x.shape) // planes * x.dtype.itemsize
    sizes = [rows * tables.count * one.dtype.itemsize for one in writes] + [0]
    numbers = dict(zip(NUMBERS, (rows, row_taps, tables.count, taps, pitch, plane, *sizes), strict=False))
    return Instruction(
        form.kernel(),
        [lowering.access(x, planes), *(Access(one.buffer) for one in constants)],
        [Access(one.buffer, planes) for one in writes],
        [numbers[word] for word in NUMBERS],
        planes,
        rows * row_taps * taps * -(-tables.count // form.lanes) * COST + 10,
    )


@special("max_pool")
def _max_pool(lowering: Lowering, node: Node) -> bool:
    (x,) = node.inputs
    tables = node.attributes["tables"]
    size = x.shape[x.rank - len(tables) :]
    if x.dtype not in KINDS or not count(x.shape) or count(size) > LONGEST or not count(node.type[0].shape):
        return False
    lanes = _lanes(x.dtype)
    found = _pooled(tables, size, lanes)
    if found is None:
        return False
    results = {user.attributes["index"]: user for user in lowering.users.get(node, ()) if user.op is output}
    wanted = 1 in results
    windows = [lowering.new_window(one) for one in node.type[: 1 + wanted]]
    form = Form(x.dtype, lanes, MAXIMUM, found.step, wanted, "")
    planes = count(x.shape[: x.rank - len(tables)])
    lowering.steps.append(_instruction(lowering, form, found, lowering.whole(x), planes, windows))
    for index, user in results.items():
        lowering.place(user, windows[index])
    return True


@lru_cache(maxsize=256)
def _resampled(table: Table, inner: int, size: int, lanes: int) -> Tables:
    """The tables of sums along an axis of ``size``, behind which ``inner`` elements lie."""
    array = _array(table)
    if inner == 1:
        return Tables(np.zeros((1, 1)), array, lanes)
    return Tables(np.where(array < 0, -1, array * inner), np.arange(inner).reshape(-1, 1), lanes)


@special("resample")
def _resample(lowering: Lowering, node: Node) -> bool:
    (x,) = node.inputs
    axis, table, weights = (node.attributes[word] for word in ("axis", "table", "weights"))
    inner = count(x.shape[axis + 1 :])
    reaching = x.shape[axis] * inner <= LONGEST and table and table[0]
    if x.dtype not in KINDS or not count(x.shape) or not count(node.shape) or not reaching:
        return False
    lanes = _lanes(x.dtype)
    tables = _resampled(table, inner, x.shape[axis], lanes)
    shares = None
    if weights is not None:
        kind = np.float64 if x.dtype is dtypes.float64 else np.float32
        shares = np.array(weights, kind).reshape(len(weights), len(weights[0]))
        shares = shares if inner > 1 else _padded(shares, tables)
    which = "" if weights is None else ROWS if inner > 1 else COLUMNS
    form = Form(x.dtype, lanes, SUM, tables.step, False, which)
    target = lowering.new_window(node.type)
    planes = count(x.shape[:axis])
    lowering.steps.append(_instruction(lowering, form, tables, lowering.whole(x), planes, [target], shares))
    lowering.place(node, target)
    return True


def _padded(shares: Any, tables: Tables) -> Any:
    """Weights laid as the table of columns is."""
    found = np.zeros(tables.columns.shape, shares.dtype)
    found[:, : tables.count] = shares.T
    return found
