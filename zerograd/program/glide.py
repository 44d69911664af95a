"""Replays of a small program that follow each other: of each, no more than has to be done.

The program has told which of its arrays will be where (``engines/protocol.Small``), and nobody has changed what the
step only reads (``steady.py``). So most leaves of the next replay are those of the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from zerograd.engines import flight
from zerograd.ir import changing

if TYPE_CHECKING:
    from zerograd.engines.protocol import Small
    from zerograd.ir.trace import Trace
    from zerograd.program.chain import Chain
    from zerograd.program.program import Program

Pick = Callable[[Sequence[Any]], Sequence[Any]]


def picking(places: Sequence[int]) -> Pick:
    """What picks the items at these places."""
    several = len(places) > 1  # of one place, an itemgetter gives the item
    return itemgetter(*places) if several else lambda items: [items[place] for place in places]


class Glide:
    """How the arrays of one run become the leaves of the next, once it is known where they will be.

    What is written over a leaf, and what nobody changes, stays where it is in the list of leaves.

    Attributes:
        places: of the outputs, as the program has told them.
        results: those of the new tensors.
        moved: (slot, place) of leaves that have to be put there.
        pick: picks all leaves where some change places among each other; else ``None``.
    """

    def __init__(self, small: Small, chain: Chain, program: Program) -> None:
        self.small = small
        self.chain = chain
        self.stepping = program.stepping
        self.given = [slot for slot, *_ in program.bindings.given]
        self.places: list[int] | None = None
        self.results: Sequence[int] = ()
        self.moved: list[tuple[int, int]] = []
        self.pick: Pick | None = None

    def run(self, trace: Trace, given: list[Any], numbers: list[Any]) -> Sequence[Any] | None:
        """Run the program, and make the leaves of the trace those of the next replay; the arrays of new tensors.

        Args:
            given: the arrays of the arguments.

        Returns:
            ``None``: nothing has been done, and the program has to be called.
        """
        places, leaves = self.small.places, trace.leaves
        if places is not self.places:
            if places is None:
                return None
            self._compose(places, len(leaves))
        if flight.spoiled or changing.arrays:
            return None
        fresh = self.small.run_small(leaves)
        if fresh is None:
            return None
        first = len(leaves)
        results = [leaves[place] if place < first else fresh[place - first] for place in self.results]
        if self.pick is not None:
            leaves[:] = self.pick([*leaves, *fresh])
        for slot, place in self.moved:
            leaves[slot] = fresh[place - first]
        self.stepping.fill(leaves, numbers)
        if given:
            for slot, array in zip(self.given, given, strict=True):
                leaves[slot] = array
        return results

    def _compose(self, places: list[int], leaves: int) -> None:
        outputs = len(places)
        following = [places[one] if one < outputs else one - outputs for one in self.chain.places]
        new = {*self.stepping.slots, *self.given}
        moved = [(slot, place) for slot, place in enumerate(following) if place != slot and slot not in new]
        others = any(place < leaves for _, place in moved)
        self.pick = picking(following) if others else None
        self.moved = [] if others else moved
        self.results = places[: len(self.chain.tracked)]
        self.places = places


__all__ = ["Glide", "Pick", "picking"]
