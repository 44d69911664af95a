"""A graph on the native engine against its NumPy reference: on guarded memory, with its units divided at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from engines.native.lowered import Lowered, random_cuts

from zerograd.engines import reference
from zerograd.ir.graph import Node
from zerograd.passes import pipeline

Array = np.ndarray[Any, Any]


def compared(outputs: Sequence[Node], arrays: Sequence[Array]) -> list[tuple[Array, Array]]:
    """For each output what the engine gives and what the reference gives; no node may be left to NumPy."""
    with np.errstate(all="ignore"):
        expected = reference.compile(tuple(outputs))(list(arrays))
    lowered = Lowered(pipeline.run(outputs), arrays)
    assert lowered.native
    first = lowered.run()
    cut = lowered.run(random_cuts(np.random.default_rng(0)))
    for whole, divided in zip(first, cut, strict=True):
        assert whole.tobytes() == divided.tobytes()
    return list(zip(first, expected, strict=True))


def check_same(outputs: Sequence[Node], arrays: Sequence[Array]) -> None:
    """The engine gives the reference's bits (but for the sign of zeros and NaN's)."""
    for found, expected in compared(outputs, arrays):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found.astype(_plain(found)), expected.astype(_plain(expected)))


def check_close(outputs: Sequence[Node], arrays: Sequence[Array], within: float = 1e-5) -> None:
    """The engine gives nearly what the reference gives."""
    for found, expected in compared(outputs, arrays):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found.astype(_plain(found)), expected.astype(_plain(expected)), within, within)


def _plain(array: Array) -> Any:
    """A dtype that NumPy itself knows."""
    return (
        np.float32
        if array.dtype.kind == "V" or (array.dtype.itemsize == 2 and array.dtype.kind == "f")
        else array.dtype
    )
