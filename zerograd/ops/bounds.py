"""Class numbers and table rows, checked when they are computed."""

from __future__ import annotations

from zerograd import errors
from zerograd.ir.graph import Array, Op


def _reference_within(places: Array, *, size: int, ignored: int | None, problem: str) -> Array:
    wrong = (places < 0) | (places >= size)
    if ignored is not None:
        wrong &= places != ignored
    if wrong.any():
        raise errors.index(f"{problem}: {places[wrong].flat[0]} is out of bounds", expected=f"[0, {size - 1}]")
    return places


within = Op("within", lambda places, *, size, ignored, problem: places, _reference_within, elementwise=True)
"""The same places, all in [0, size) or equal to ``ignored``; else an IndexError that begins with ``problem``."""
