"""Arrays that NumPy code may write to whenever it has control: what reads them has to be done before it gets that."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from zerograd.ir.graph import Array

arrays: dict[int, weakref.ref[Array]] = {}
"""By their ids, those that have been met and are still there."""


def note(array: Array) -> None:
    """Remember one."""
    key = id(array)
    arrays[key] = weakref.ref(array, lambda _: arrays.pop(key, None))


def among(leaves: Iterable[Any]) -> bool:
    """Whether some of these are such arrays."""
    return bool(arrays) and any(id(one) in arrays for one in leaves)
