"""The element types, their order of promotion, and the default float type.

Promotion follows PyTorch: operands fall into three ranks (tensors with dimensions, tensors without, Python
scalars); a lower rank changes the result only when its *category* (bool < integer < float < complex) is higher.
Source: torch documentation, "Tensor Attributes", type promotion.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final

import numpy as np

BOOL, INTEGER, FLOAT, COMPLEX = range(4)  # the categories, in their order


class dtype:  # noqa: N801  PyTorch's own name
    """One element type. Instances are unique: compare with ``is`` or ``==``."""

    def __init__(self, name: str, category: int, numpy: type[np.generic] | None = None) -> None:
        self.name, self.category = name, category
        if numpy is not None:
            vars(self)["numpy"] = np.dtype(numpy)

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """NumPy's type. Only bfloat16's is looked for: NumPy has none, and the package that has one loads slowly."""
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)

    @property
    def limits(self) -> Any:
        """Of a float type: ``eps``, ``max``, ``min``, ``smallest_normal`` and so on, as ``numpy.finfo`` has them."""
        if self is not bfloat16:
            return np.finfo(self.numpy)
        import ml_dtypes

        return ml_dtypes.finfo(self.numpy)

    @property
    def is_floating_point(self) -> builtins.bool:
        return self.category == FLOAT

    @property
    def is_complex(self) -> builtins.bool:
        return self.category == COMPLEX

    @property
    def is_signed(self) -> builtins.bool:
        return self.category >= FLOAT or self.numpy.kind == "i"

    @property
    def is_inexact(self) -> builtins.bool:
        """Whether values of this type can have gradients."""
        return self.category >= FLOAT

    @property
    def itemsize(self) -> builtins.int:
        return self.numpy.itemsize

    def to_real(self) -> dtype:
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        return {float32: complex64, float64: complex128}.get(self, self if self.is_complex else complex64)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return named, (self.name,)

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: object) -> dtype:
        return self


bool_: Final = dtype("bool", BOOL, np.bool_)
uint8: Final = dtype("uint8", INTEGER, np.uint8)
int8: Final = dtype("int8", INTEGER, np.int8)
int16: Final = dtype("int16", INTEGER, np.int16)
int32: Final = dtype("int32", INTEGER, np.int32)
int64: Final = dtype("int64", INTEGER, np.int64)
float16: Final = dtype("float16", FLOAT, np.float16)
bfloat16: Final = dtype("bfloat16", FLOAT)
float32: Final = dtype("float32", FLOAT, np.float32)
float64: Final = dtype("float64", FLOAT, np.float64)
complex64: Final = dtype("complex64", COMPLEX, np.complex64)
complex128: Final = dtype("complex128", COMPLEX, np.complex128)

ALL: Final = (
    bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
ALIASES: Final = {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
    "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip
_BY_NAME = {one.name: one for one in ALL} | ALIASES
_BY_NUMPY = {one.numpy: one for one in ALL if one is not bfloat16}


def named(name: str) -> dtype:
    """The element type called ``name`` (PyTorch's names and aliases)."""
    return _BY_NAME[name]


def from_numpy(numpy_dtype: np.dtype[Any]) -> dtype:
    """The element type of a NumPy array.

    Raises:
        TypeError: NumPy's type has no counterpart (strings, objects, uint16, ...).
    """
    found = _BY_NUMPY.get(numpy_dtype) or _BY_NUMPY.get(np.dtype(numpy_dtype).newbyteorder("="))
    if found is None:
        if numpy_dtype == bfloat16.numpy:
            return _BY_NUMPY.setdefault(numpy_dtype, bfloat16)
        supported = ", ".join(str(one.numpy) for one in ALL)
        raise TypeError(f"NumPy's {numpy_dtype} has no counterpart here; there are: {supported}")
    return found


_default = float32
when_default_changes: list[Callable[[], None]] = []  # what was remembered under the old default must go


def get_default_dtype() -> dtype:
    """The float type of new tensors made from Python numbers."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Make ``d``, a float type, the type of new tensors made from Python floats."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"the default dtype is one of the floating dtypes, not {d!r}")
    if d is not _default:
        _default = d
        for forget in when_default_changes:
            forget()


def of_scalar(value: builtins.bool | float | complex) -> dtype:
    """The type that a Python number has when it becomes a tensor."""
    if isinstance(value, builtins.bool | np.bool_):
        return bool_
    if isinstance(value, builtins.int | np.integer):
        return int64
    if isinstance(value, complex | np.complexfloating):
        return _default.to_complex()
    return _default


_INTEGER_ORDER = (int8, int16, int32, int64)
_FLOAT_BITS = {float16: 11, bfloat16: 8, float32: 24, float64: 53}


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    if a.category != b.category:
        narrow, wide = sorted((a, b), key=lambda one: one.category)
        return complex128 if wide.is_complex and narrow is float64 else wide
    if a.category == INTEGER:
        return _promote_integers(a, b)
    if a.is_complex:
        return complex128
    return float32 if {a, b} == {float16, bfloat16} else max(a, b, key=_FLOAT_BITS.__getitem__)


def _promote_integers(a: dtype, b: dtype) -> dtype:
    if uint8 in (a, b):  # unsigned with signed: the next wider signed type
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return max(a, b, key=_INTEGER_ORDER.index)


_PROMOTED = {(a, b): _promote(a, b) for a in ALL for b in ALL}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type that both can be converted to without losing their category.

    Source: torch.promote_types.
    """
    return _PROMOTED[type1, type2]


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether PyTorch's rules allow this conversion for in-place results. Source: torch.can_cast."""
    if from_.category > to.category:
        return False
    return not (to is bool_ and from_ is not bool_)


def result_type(operands: Iterable[tuple[dtype, builtins.int]]) -> dtype:
    """The common type of operands given as (type, rank): rank 0 has dimensions, 1 is 0-d, 2 is a Python number."""
    ranks: list[dtype | None] = [None, None, None]
    for kind, rank in operands:
        current = ranks[rank]
        ranks[rank] = kind if current is None else _PROMOTED[current, kind]
    result: dtype | None = None
    for kind in ranks:
        if kind is None:
            continue
        if result is None:
            result = kind
        elif kind.category > result.category:
            # A number brings its category, not its width: int32 tensor * 1.5 is the default float type.
            result = _raise_category(result, kind)
    assert result is not None, "no operands"
    return result


def _raise_category(low: dtype, high: dtype) -> dtype:
    if high.is_complex and low.is_floating_point:
        return low.to_complex()
    return high
