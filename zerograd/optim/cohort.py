"""Parameters that have taken the same steps, and how often: Python counts, tensors show it.

PyTorch keeps a step count as a tensor of shape () per parameter and reads it in every step. Reading would
end the recording of a step here, so Python keeps such numbers, once for all parameters that share them. The
tensors in `optimizer.state` are elements of one vector per number, which the update itself rewrites. What a
program writes into them is noticed by the version of the vector, or because another tensor stands in the
state, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import TensorType
from zerograd.tensor.pack import Pack
from zerograd.tensor.tensor import Tensor

Numbers = dict[str, float]
States = Mapping[Tensor, dict[str, Any]]
MOST_ATTEMPTS = 8  # at forming a pack, before tensors are taken one by one


class Cohort:
    """Parameters of one group that are in the same situation, so that one call updates them all.

    Attributes:
        places: their positions among the parameters that have a gradient.
        params: the parameters.
        states: their entries in `optimizer.state`; empty dictionaries, which are not there, without `has_state`.
        present: the state tensors that they have, by name.
        numbers: what Python counts for each of them.
        vectors: the tensors, shape (n,), whose elements show the numbers.
        columns: the parameters and each of their state tensors, as they are rewritten.
    """

    def __init__(self, numbers: Numbers, present: tuple[str, ...], *, has_state: bool) -> None:
        self.params: list[Tensor] = []
        self.states: list[dict[str, Any]] = []
        self.present = present
        self.numbers = numbers
        self.has_state = has_state
        self.places: list[int] = []
        self.vectors: list[Tensor] = []
        self._elements: list[tuple[Tensor, ...]] = []
        self._versions: list[int] = []
        self.columns: dict[str, Column] = {}

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

    def note_versions(self) -> None:
        """The vectors now show the numbers; whatever changes them from here on is the program."""
        self._versions = [vector._version for vector in self.vectors]

    def is_shown(self) -> bool:
        """Whether nobody else has written into the vectors."""
        return all(v._version == known for v, known in zip(self.vectors, self._versions, strict=True))

    def is_current(self, states: States) -> bool:
        """Whether the states are still those that this cohort has seen."""
        if self.has_state and not all(map(is_, map(states.get, self.params), self.states)):
            return False
        if not self.numbers and not all(name in state for name in self.present for state in self.states):
            return False  # where there are counters, they tell that a state was cleared
        for name, elements in zip(self.numbers, self._elements, strict=True):
            if not all(map(is_, [state.get(name) for state in self.states], elements)):
                return False
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
        return [state[name] for state in self.states] if name in self.present else None

    def packed(self, name: str, tensors: list[Any]) -> list[Any] | Pack:
        """The parameters or one of their states as a pack, where that is possible."""
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = Column()
        return column.packed(tensors)


class Column:
    """The parameters of a cohort, or one of their states, and the pack that they form."""

    __slots__ = ("_attempts", "_pack", "_storages")

    def __init__(self) -> None:
        self._attempts = 0
        self._pack: Pack | None = None
        self._storages: list[Any] = []

    def packed(self, tensors: list[Any]) -> list[Any] | Pack:
        """``tensors`` as a pack; as they are where somebody changes them one by one again and again."""
        storages = [tensor._storage for tensor in tensors]
        pack = self._pack
        if pack is not None and pack.whole and storages == self._storages:
            return pack
        if self._attempts > MOST_ATTEMPTS:
            return tensors
        self._attempts += 1
        if any(tensor._steps or not (tensor._plain or tensor._leaf) for tensor in tensors):
            return tensors
        self._pack, self._storages = Pack.of(storages), storages
        return self._pack or tensors


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
