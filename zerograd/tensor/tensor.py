"""The class Tensor: a table of contents. What it does stands in ``base``, ``autograd`` and ``functions``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from zerograd.dtypes import get_default_dtype
from zerograd.tensor import tensor_types
from zerograd.tensor.base import TensorBase
from zerograd.tensor.copying import CopyingMethods
from zerograd.tensor.door import in_place
from zerograd.tensor.facts import FactMethods
from zerograd.tensor.functions import (
    activation,
    arithmetic,
    bitwise,
    changing,
    comparison,
    complex_numbers,
    conversion,
    counting,
    creation,
    data,
    differences,
    factorization,
    gathering,
    indexing,
    joining,
    matrices,
    norms,
    pointwise,
    powers,
    products,
    questions,
    random,
    random_in_place,
    ranges,
    rearranging,
    reductions,
    reshaping_in_place,
    scans,
    searching,
    selecting,
    shaping,
    solving,
    sorting,
    special,
    statistics,
    triangles,
    view_copies,
    viewing,
)
from zerograd.tensor.gradients import GradientMethods
from zerograd.tensor.memory import MemoryMethods
from zerograd.tensor.reading import ReadingMethods


class Tensor(CopyingMethods, MemoryMethods, GradientMethods, ReadingMethods, FactMethods, TensorBase):
    """An array of numbers of one dtype, with the history that gradients flow back through.

    Source: torch.Tensor.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """The legacy constructor: sizes, or data, in the default float dtype."""
        made = tensor_types.construct(get_default_dtype(), args, kwargs)
        return made if cls is Tensor else made.as_subclass(cls)

    _printed_as = "tensor"  # subclasses print by their own name
    __array_priority__ = 1000  # NumPy operators leave mixed operations to Tensor
    __hash__ = object.__hash__


def _attach(kind: ModuleType) -> None:
    for name, function in kind.METHODS.items():
        setattr(Tensor, name, getattr(function, "__wrapped__", function))
    for name in kind.IN_PLACE:
        function = kind.METHODS[name]
        setattr(Tensor, f"{name}_", in_place(getattr(function, "__wrapped__", function)))
    for name, read in getattr(kind, "PROPERTIES", {}).items():
        setattr(Tensor, name, property(read))
    for name, method in getattr(kind, "OPERATORS_IN_PLACE", {}).items():
        setattr(Tensor, name, getattr(Tensor, method))


for _kind in (
    activation, arithmetic, bitwise, changing, comparison, complex_numbers, conversion, counting, creation,
    data, differences, factorization, gathering, indexing, joining, matrices, norms, pointwise, powers, products,
    questions, random, random_in_place, ranges, rearranging, reductions, reshaping_in_place, scans, searching,
    selecting, shaping, solving, sorting, special, statistics, triangles, viewing, tensor_types, view_copies,
):  # fmt: skip
    _attach(_kind)

TensorBase.result_class = Tensor
