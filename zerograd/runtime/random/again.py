"""Draws that can be done again: a captured step draws anew each time it is replayed."""

from __future__ import annotations

from collections.abc import Callable

from zerograd.ir.graph import Array
from zerograd.ir.record import recorder


def drawn(draw: Callable[[], Array]) -> Array:
    """What ``draw`` gives: an array of random numbers that depends on its stream alone.

    Whoever watches the trace is told, and may call ``draw`` later for the next numbers; so it must not hold tensors.
    """
    array = draw()
    watch = recorder.own.trace.watch
    if watch is not None:
        watch.draws(array, draw)
    return array
