"""Memory for large arrays, in large pages.

Parameters and moments of a few megabytes come from the C library in pages of 4 kB, at any multiple of 16 bytes. A
processor knows the places of about 2,000 pages: a step that goes through more than 8 MB waits for page tables, in a
virtual machine for two kinds of them. Linux has pages of 2 MB for those who ask, if the memory begins at such a page.
So arrays of this size lie side by side in regions of whole large pages, at multiples of 128 bytes.

Elsewhere the regions are ordinary memory.
"""

from __future__ import annotations

import contextlib
import gc
import math
import mmap
import os
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from zerograd.ir.graph import Array

PAGE = 1 << 21
LARGE = 1 << 16  # bytes of the smallest array that should lie in a region
LINE = 64  # bytes of a line of cache
_BYTE = np.dtype(np.uint8)
_LINES = 2 * LINE  # processors fetch lines in pairs; arrays begin at such a pair
_REGION = 1 << 25  # bytes of a region that arrays share
_ALONE = 1 << 23  # bytes of an array above which it has a region of its own, which goes with it


def _ask(nbytes: int) -> Array:
    """Fresh memory, in large pages where the system has them.

    Raises:
        MemoryError: there is not as much.
    """
    size = -(-nbytes // PAGE) * PAGE
    kind = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
    try:
        raw = mmap.mmap(-1, size + PAGE, **kind)
    except OSError as error:
        raise MemoryError(f"no memory for {nbytes:,} bytes: {error}") from error
    whole = np.frombuffer(raw, np.uint8)
    start = -whole.ctypes.data % PAGE
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system without them
            raw.madvise(mmap.MADV_HUGEPAGE, start, size)
    return whole[start : start + size]


class Region:
    """Memory, and which parts of it are free.

    Attributes:
        gaps: where free parts begin and end, in order; no two touch.
        back: parts that arrays have given back, not yet among the gaps: an array may die at any moment.
    """

    def __init__(self, nbytes: int) -> None:
        self.memory = _ask(nbytes)
        self.start = self.memory.ctypes.data
        self.gaps = [(0, len(self.memory))]
        self.back: deque[tuple[int, int]] = deque()

    def take(self, nbytes: int) -> int | None:
        """Where ``nbytes`` were free, if so many were."""
        for i, (start, end) in enumerate(self.gaps):
            if end - start >= nbytes:
                self.gaps[i : i + 1] = [(start + nbytes, end)] if end - start > nbytes else []
                return start
        return None

    def collect(self) -> None:
        """Have what was given back among the gaps."""
        if not self.back:
            return
        gaps = self.gaps
        while self.back:
            gaps.append(self.back.popleft())
        gaps.sort()
        joined = gaps[:1]
        for start, end in gaps[1:]:
            if start == joined[-1][1]:
                joined[-1] = joined[-1][0], end
            else:
                joined.append((start, end))
        self.gaps = joined


class Block:
    """The part of a region that an array lies in: its ``base``, and nobody else's. It is given back with the array."""

    __slots__ = ("__array_interface__", "_part", "region")

    def __init__(self, region: Region, start: int, nbytes: int, shape: Sequence[int], dtype: Any) -> None:
        self.region, self._part = region, (start, start + nbytes)
        self.__array_interface__ = {
            "version": 3, "shape": tuple(shape), "typestr": dtype.str, "data": (region.start + start, False),
        }  # fmt: skip

    def __del__(self) -> None:
        self.region.back.append(self._part)


class Undisturbed:
    """While it lasts, the collector of garbage does not: what it finds may want something computed at its end."""

    __slots__ = ("_collects",)

    def __enter__(self) -> None:
        self._collects = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._collects:
            gc.enable()


_lock = threading.RLock()
_known: list[weakref.ref[Region]] = []  # a region lives, and its memory is the process's, while an array lies in it
_latest: Region | None = None  # but the latest one stays


def is_for(shape: Sequence[int], dtype: np.dtype[Any]) -> bool:
    """Whether arrays like this are large enough for a region."""
    return math.prod(shape) * dtype.itemsize >= LARGE and dtype.isbuiltin == 1


def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """An array in a region, as the only array over its block. It has not been filled.

    Raises:
        MemoryError: there is not as much.
    """
    nbytes = -(-math.prod(shape) * dtype.itemsize // _LINES) * _LINES
    with _lock, Undisturbed():
        return np.asarray(_block(nbytes, shape, dtype))


def aligned(nbytes: int, line: int = LINE) -> Array:
    """Bytes that begin at a multiple of a line."""
    if nbytes >= LARGE:
        return empty((nbytes,), _BYTE)
    raw = np.empty(nbytes + line, _BYTE)
    start = -raw.ctypes.data % line
    return raw[start : start + nbytes]


def _block(nbytes: int, shape: Sequence[int], dtype: np.dtype[Any]) -> Block:
    global _latest
    if nbytes > _ALONE:
        return Block(Region(nbytes), 0, nbytes, shape, dtype)
    regions = [region for region in (one() for one in _known) if region is not None]
    for region in regions:
        region.collect()
        start = region.take(nbytes)
        if start is not None:
            return Block(region, start, nbytes, shape, dtype)
    _latest = region = Region(_REGION)
    _known[:] = [weakref.ref(one) for one in (*regions, region)]
    start = region.take(nbytes)
    assert start is not None
    return Block(region, start, nbytes, shape, dtype)


def _forget() -> None:
    """In the child of a fork, a thread that is not there may have been in the midst of it."""
    global _latest, _lock
    _lock, _latest = threading.RLock(), None
    _known.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

__all__ = ["LINE", "Block", "Region", "Undisturbed", "aligned", "empty", "is_for"]
