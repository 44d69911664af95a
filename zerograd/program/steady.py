"""Whether everything is still as the last replay has left it: one look in place of all checks.

Between two replays of a training loop usually nothing happens. So the objects that the checks of a replay look at
(variables, options and states of optimizers, gradients, what waits for the last trace) are compared all at once,
natively, with what they were (``engines/native/unchanged.py``). Where one is another, the checks say whether that
matters.
"""

from __future__ import annotations

from types import CellType
from typing import TYPE_CHECKING, Any

from zerograd.runtime.structure import structure
from zerograd.settings import settings

if TYPE_CHECKING:
    from zerograd.program.program import Program
    from zerograd.program.surroundings import Space

FREE_NOTES = 50  # how often one may note what things are before it has to pay
LEAST_HITS = 4  # looks that spared the checks, for each note after that
MOST_CHANGES = 2  # of a dictionary, before its items are looked at one by one: variables of a script's loop are in it


class Steady:
    """What a program, whose replays follow each other, relies on.

    Attributes:
        notes, hits: how often things have been noted, and how often they were still as they had been.
    """

    def __init__(self) -> None:
        self.notes = self.hits = 0
        self._hits_before = 0  # the last note
        self._unchanged: Any = None
        self._changes: dict[int, int] = {}  # by a dictionary's id, how often other items of it have changed
        self._rest: list[Space] = []

    def holds(self) -> bool:
        """Whether nobody has changed anything since."""
        if self._unchanged is None or not self._unchanged.holds():
            return False
        for space in self._rest:
            if not space.is_same():
                return False
        self.hits += 1
        return True

    def pays(self) -> bool:
        """Whether what was noted last has spared checks."""
        return self.hits > self._hits_before

    def note(self, program: Program) -> None:
        """All has been checked, and is to stay as it is now."""
        known = self._unchanged
        for one in known.changed() if known is not None else ():
            self._changes[id(one)] = self._changes.get(id(one), 0) + 1
        self._unchanged = None
        if settings.engine == "reference" or self.notes > FREE_NOTES + self.hits // LEAST_HITS:
            return
        self.notes += 1
        self._hits_before = self.hits
        from zerograd.engines.native.unchanged import Unchanged

        dictionaries, lists, cells = self._variables(program)
        if not program.stepping.has_schedules:
            for owner in program.stepping.owners:
                optimizer = owner.optimizer
                states = [state for cohort in owner.cohorts for state in cohort.states]
                dictionaries += [vars(optimizer), owner.group, optimizer.state, *states]
                lists += [optimizer.param_groups, owner.group["params"]]
        if any(type(one) is not list for one in lists):
            return
        dictionaries += [vars(tensor) for tensor in (*[one[0] for one in program.left], *program.none_left)]
        written = {id(storage) for storage, *_ in program.written}
        dictionaries += [vars(storage) for _, storage, _ in program.bindings.kept if id(storage) not in written]
        slots = [(pack, word) for pack in program.packs for word in ("serial", "buffers", "whole")]
        slots.append((structure, "changes"))
        if known is not None and known.watches(dictionaries, lists, cells, slots):
            known.note()
            self._unchanged = known
        else:
            self._unchanged = Unchanged(dictionaries, lists, cells, slots)

    def _variables(self, program: Program) -> tuple[list[Any], list[Any], list[CellType]]:
        """What the body can see: dictionaries, lists, cells; other spaces have to be looked at one by one."""
        dictionaries: list[Any] = []
        lists: list[Any] = []
        cells: list[CellType] = []
        self._rest = []
        for space in program.around.spaces:
            holder = space.holder
            whole = space.names is None or self._changes.get(id(holder), 0) < MOST_CHANGES
            if type(holder) is dict and whole:
                dictionaries.append(holder)
            elif type(holder) is list:
                lists.append(holder)
            elif type(holder) is tuple and all(_is_filled(one) for one in holder):
                cells += holder
            else:
                self._rest.append(space)
        return dictionaries, lists, cells


def _is_filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


__all__ = ["Steady"]
