"""Which dtypes a function takes: the rest is refused with PyTorch's error type."""

from __future__ import annotations

from collections.abc import Container

from zerograd import dtypes, errors
from zerograd.dtypes import BOOL, COMPLEX, dtype
from zerograd.ir.graph import Node

REAL = frozenset(one for one in dtypes.ALL if one.category not in (BOOL, COMPLEX))
INTEGRAL = frozenset(one for one in dtypes.ALL if not one.is_inexact)
INEXACT = frozenset(one for one in dtypes.ALL if one.is_inexact)
FLOATING = frozenset(one for one in dtypes.ALL if one.is_floating_point)
NUMBERS = frozenset(one for one in dtypes.ALL if one.category != BOOL)
ORDERED = frozenset(one for one in dtypes.ALL if one.category != COMPLEX)


def unsupported(name: str, kind: dtype, hint: str | None = None) -> NotImplementedError:
    return NotImplementedError(errors.message(f"{name}: not implemented for {kind.name} tensors", hint=hint))


def require(name: str, x: Node, allowed: Container[dtype], hint: str | None = None) -> None:
    """Refuse operands of other dtypes.

    Raises:
        NotImplementedError: as PyTorch does where it has no kernel.
    """
    if x.type.dtype not in allowed:
        raise unsupported(name, x.type.dtype, hint)
