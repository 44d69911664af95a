"""Step counts and other numbers of a parameter: Python computes with them, tensors show them.

PyTorch keeps a step count as a tensor of shape () per parameter and reads it in every step. Reading would
end the recording of a step here, so Python keeps the numbers. The tensors in `optimizer.state` are elements
of one vector per number, which each step replaces as a whole. What a program writes into them is noticed by
the version of the vector, or because another tensor stands in the state, and counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import TensorType
from zerograd.tensor.door import assign
from zerograd.tensor.tensor import Tensor

Row = tuple[float, ...]


class Counters:
    """The numbers of all parameters of one group.

    Args:
        params: the parameters of the group.
        initial: the numbers of a parameter before its first step, by name.
        dtype: of the tensors that show them; numbers are rounded to it.
    """

    def __init__(self, params: Sequence[Tensor], initial: Mapping[str, float], dtype: dtypes.dtype) -> None:
        self.params = list(params)
        self.names = tuple(initial)
        self.dtype = dtype
        self._columns = [[self.round(value)] * len(self.params) for value in initial.values()]
        self._vectors = [self._vector(column) for column in self._columns]
        self._elements = [vector.unbind() for vector in self._vectors]
        self._versions = [vector._version for vector in self._vectors]

    def round(self, value: float) -> float:
        """The value as the tensors hold it."""
        return float(self.dtype.numpy.type(value))

    def _vector(self, column: list[float]) -> Tensor:
        return Tensor.of_array(np.array(column, self.dtype.numpy), TensorType((len(column),), self.dtype))

    def belongs_to(self, params: Sequence[Tensor]) -> bool:
        """Whether these are the parameters of the group still."""
        return len(params) == len(self.params) and all(map(is_, params, self.params))

    def reread(self) -> None:
        """Takes over what a program has written into the tensors."""
        for column, vector, version in zip(self._columns, self._vectors, self._versions, strict=True):
            if vector._version != version:
                column[:] = vector.tolist()

    def begin(self, index: int, state: dict[str, Any], initial: Mapping[str, float]) -> None:
        """Gives parameter `index` its first numbers and shows them in its state."""
        for name, column, elements in zip(self.names, self._columns, self._elements, strict=True):
            column[index] = self.round(initial[name])
            state[name] = elements[index]

    def adopt(self, index: int, state: dict[str, Any]) -> None:
        """Takes over numbers that came from elsewhere, such as a checkpoint."""
        for name, column, elements in zip(self.names, self._columns, self._elements, strict=True):
            if state[name] is not elements[index]:
                column[index] = self.round(float(state[name]))
                state[name] = elements[index]

    def rows(self) -> list[Row]:
        """The numbers of each parameter."""
        return list(zip(*self._columns, strict=True))

    def set(self, indices: Sequence[int], numbers: Mapping[str, float]) -> None:
        """Gives the parameters at `indices` these numbers; `show` makes them visible."""
        for name, column in zip(self.names, self._columns, strict=True):
            value = self.round(numbers[name])
            if len(indices) == len(column):
                column[:] = [value] * len(column)
            else:
                for index in indices:
                    column[index] = value

    def show(self) -> None:
        """Writes the numbers into the tensors."""
        for position, (vector, column) in enumerate(zip(self._vectors, self._columns, strict=True)):
            assign(vector, self._vector(column))
            self._versions[position] = vector._version
