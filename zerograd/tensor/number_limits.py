"""The limits of number types: ``finfo`` and ``iinfo``."""

from __future__ import annotations

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype


class finfo:  # noqa: N801  PyTorch's own name
    """Limits and precision of a float type. Source: torch.finfo.

    Attributes:
        bits: the size of a number.
        eps: the distance from 1 to the next larger number.
        max, min: the largest and the least number.
        tiny, smallest_normal: the smallest positive number of full precision.
        resolution: the decimal resolution.
    """

    def __init__(self, type: dtype | None = None) -> None:
        kind = dtypes.get_default_dtype() if type is None else type
        if not isinstance(kind, dtype) or not kind.is_inexact:
            raise errors.type_(
                f"torch.finfo describes floating dtypes, not {kind!r}", hint="torch.iinfo describes integers"
            )
        kind = kind.to_real()
        info = kind.limits
        self.bits = int(info.bits)
        self.dtype = kind.name
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = 10.0 ** -int(np.floor(-np.log10(self.eps)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g},"
            f" smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:  # noqa: N801  PyTorch's own name
    """Limits of an integer type. Source: torch.iinfo.

    Attributes:
        bits: the size of a number.
        max, min: the largest and the least number.
    """

    def __init__(self, type: dtype) -> None:
        if not isinstance(type, dtype) or type.is_inexact:
            raise errors.type_(
                f"torch.iinfo describes integer dtypes, not {type!r}", hint="torch.finfo describes floating ones"
            )
        if type is dtypes.bool_:
            raise errors.type_("torch.iinfo describes integers, and bool is none", got="torch.bool")
        info = np.iinfo(type.numpy)
        self.bits, self.min, self.max = int(info.bits), int(info.min), int(info.max)
        self.dtype = type.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
