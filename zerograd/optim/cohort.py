"""Parameters that have taken the same steps, and how often: Python counts, tensors show it.

PyTorch keeps a step count as a tensor of shape () per parameter and reads it in every step. Reading would
end the recording of a step here, so Python keeps such numbers, once for all parameters that share them. The
tensors in `optimizer.state` are elements of one vector per number, which the update itself rewrites. What a
program writes into them is noticed by the version of the vector, or because another tensor stands in the
state, and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_, itemgetter
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import Node, TensorType
from zerograd.ir.record import Recorder, recorder
from zerograd.optim.again import Again, Begun
from zerograd.runtime.stillness import Stillness
from zerograd.tensor.leaf import Arrived
from zerograd.tensor.pack import Pack
from zerograd.tensor.tensor import Tensor

Numbers = dict[str, float]
States = dict[Any, Any]  # by parameter; of each, its entries by name
MOST_ATTEMPTS = 24  # at forming packs, before tensors are taken one by one
MOST_PLACES = 16  # in a trace, at which a step is known


class Cohort:
    """Parameters of one group that are in the same situation, so that one call updates them all.

    Attributes:
        params: the parameters.
        states: their entries in `optimizer.state`; empty dictionaries, which are not there, without `has_state`.
        present: the state tensors that they have, by name.
        numbers: what Python counts for each of them.
        vectors: the tensors, shape (n,), whose elements show the numbers.
        packs: what the parameters ("") and their state tensors form.
    """

    def __init__(self, numbers: Numbers, present: tuple[str, ...], *, has_state: bool) -> None:
        self.params: list[Tensor] = []
        self.states: list[dict[str, Any]] = []
        self.present = present
        self.numbers = numbers
        self.has_state = has_state
        self.vectors: list[Tensor] = []
        self._elements: list[tuple[Tensor, ...]] = []
        self._versions: list[int] = []
        self._names: tuple[str, ...] = ()
        self._look: Callable[[dict[str, Any]], Any]
        self._values: list[Any] = []
        self._columns: dict[str, list[Any]] = {}
        self.packs: dict[str, Pack] = {}
        self._attempts = 0
        self._prepared: tuple[Any, list[Any], list[Any]] | None = None
        self._still: tuple[States, Stillness] | None = None
        self._again: dict[tuple[int, int], Again] = {}
        self._known_arrival: Any = None
        self._arrived: tuple[Node, ...] = ()

    def show(self, dtype: dtypes.dtype) -> None:
        """Makes the tensors that show the numbers, and puts them into the states."""
        shape = (len(self.params),)
        for name, value in self.numbers.items():
            vector = Tensor.of_array(np.full(shape, value, dtype.numpy), TensorType(shape, dtype))
            elements = vector.unbind()
            for state, element in zip(self.states, elements, strict=True):
                state[name] = element
            self.vectors.append(vector)
            self._elements.append(elements)
        self.note_versions()
        self.note_states()

    def note_versions(self) -> None:
        """The vectors now show the numbers; whatever changes them from here on is the program."""
        self._versions = [vector._storage.version for vector in self.vectors]

    def is_shown(self) -> bool:
        """Whether nobody else has written into the vectors."""
        for vector, version in zip(self.vectors, self._versions, strict=True):
            if vector._storage.version != version:
                return False
        return True

    def note_states(self) -> None:
        """The states are now as the next step expects them."""
        self._names = (*self.numbers, *self.present)
        if self._names:
            self._look = itemgetter(*self._names)
        self._values = [state[name] for state in self.states for name in self._names]
        self._prepared = None
        self._still = None
        self._columns = {name: [state[name] for state in self.states] for name in self.present}

    def is_current(self, states: States) -> bool:
        """Whether the states are still those that this cohort has seen."""
        still = self._still
        if still is not None and states is still[0] and still[1].holds():
            return self.is_shown()
        if self.has_state and not all(map(is_, map(states.get, self.params), self.states)):
            return False
        if self._names:
            found: Any = map(self._look, self.states)
            try:
                if not all(map(is_, found if len(self._names) == 1 else chain.from_iterable(found), self._values)):
                    return False
            except KeyError:
                return False
        if still is None or states is not still[0]:
            still = self._still = states, Stillness([states, *self.states])
        still[1].looked()
        return self.is_shown()

    def numbers_of(self, state: dict[str, Any]) -> Numbers | None:
        """The numbers in a state, if it shows those of this cohort."""
        if not self.is_shown():
            return None
        shown = (
            any(state.get(name) is element for element in elements)
            for name, elements in zip(self.numbers, self._elements, strict=True)
        )
        return self.numbers if all(shown) else None

    def column(self, name: str) -> list[Any] | None:
        """One state tensor of every parameter; None if they have none."""
        return self._columns.get(name)

    def gradients(self, arrived: Arrived | None) -> Sequence[Any]:
        """The gradients of the parameters: tensors, or nodes as they have just arrived."""
        if arrived is None or arrived.serial != recorder.own.trace.serial:
            return [param.grad for param in self.params]
        if arrived.nodes is not self._known_arrival:
            self._known_arrival = arrived.nodes
            self._arrived = arrived.nodes_of([param._leaf for param in self.params])
        return self._arrived

    def repeats(self, own: Recorder, begun: Begun) -> bool:
        """Take a step that was taken before; ``False``: it is new, and nothing has been done."""
        again = self._again.get(begun.begin)
        return again is not None and again.repeat(own, begun)

    def note_step(self, own: Recorder, begun: Begun, counters: int) -> None:
        """This step has been taken, and may come again."""
        again = Again.of(own, begun, self.vectors, counters)
        if again is not None:
            if len(self._again) >= MOST_PLACES:
                self._again.clear()
            self._again[begun.begin] = again

    def in_place(self, names: Sequence[str]) -> tuple[Any, list[Any], list[Any]]:
        """The parameters and the columns of these states, as packs where possible, and what a step writes to."""
        if self._prepared is None or not all([pack.whole for pack in self.packs.values()]):  # noqa: C419  faster
            params = self._packed("", self.params)
            columns = [self._packed(name, self._columns[name]) if name in self._columns else None for name in names]
            written = [params, *(column for column in columns if column is not None), self.vectors]
            targets = [x for one in written for x in (one if isinstance(one, list) else [one])]
            prepared = params, columns, targets
            if not all(isinstance(one, Pack) for one in written[:-1]):
                return prepared
            self._prepared = prepared
        return self._prepared

    def _packed(self, name: str, tensors: list[Any]) -> list[Any] | Pack:
        """The parameters or one of their states as a pack; as they are where they are changed one by one."""
        pack = self.packs.get(name)
        if pack is not None and pack.whole:
            return pack
        if self._attempts > MOST_ATTEMPTS:
            return tensors
        self._attempts += 1
        if any(tensor._steps or not (tensor._plain or tensor._leaf) for tensor in tensors):
            return tensors
        leaves = [tensor._leaf for tensor in tensors]
        pack = Pack.of([tensor._storage for tensor in tensors], leaves if all(leaves) else ())
        if pack is None:
            return tensors
        self.packs[name] = pack
        return pack


class Grouping:
    """The parameters of a group that had a gradient in the last step, as cohorts."""

    def __init__(self, params: Sequence[Tensor], cohorts: list[Cohort]) -> None:
        self.params = list(params)
        self.cohorts = cohorts

    def is_current(self, params: Sequence[Tensor], states: States) -> bool:
        """Whether these parameters have gradients now, and their states are as they were left."""
        return (
            len(params) == len(self.params)
            and all(map(is_, params, self.params))
            and all(cohort.is_current(states) for cohort in self.cohorts)
        )
