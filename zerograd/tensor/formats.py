"""How elements lie in memory, by PyTorch's names: ``torch.strided``, ``torch.channels_last`` and their like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final


class _Name:
    """A constant with a name; there is one object for each."""

    _known: dict[tuple[type, str], _Name] = {}  # shared on purpose
    name: str

    def __new__(cls, name: str) -> _Name:
        found = _Name._known.get((cls, name))
        if found is None:
            found = object.__new__(cls)
            found.name = name
            _Name._known[cls, name] = found
        return found

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[type[_Name], tuple[str]]:
        return type(self), (self.name,)


class memory_format(_Name):  # noqa: N801  PyTorch's own name
    """The order of the dimensions in memory. Source: torch.memory_format."""


class layout(_Name):  # noqa: N801  PyTorch's own name
    """Whether all elements are stored, or those that differ from zero. Source: torch.layout."""


preserve_format: Final = memory_format("preserve_format")
contiguous_format: Final = memory_format("contiguous_format")
channels_last: Final = memory_format("channels_last")
channels_last_3d: Final = memory_format("channels_last_3d")

strided: Final = layout("strided")
sparse_coo: Final = layout("sparse_coo")
sparse_csr: Final = layout("sparse_csr")
sparse_csc: Final = layout("sparse_csc")
sparse_bsr: Final = layout("sparse_bsr")
sparse_bsc: Final = layout("sparse_bsc")
jagged: Final = layout("jagged")

_ORDERS = {channels_last: (1, 3, 2, 0), channels_last_3d: (1, 4, 3, 2, 0)}  # dimensions, the fastest first


def is_in_format(wanted: memory_format, shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the elements lie in this order without gaps; a dimension of size 1 may have any stride."""
    order = _ORDERS.get(wanted, tuple(reversed(range(len(shape)))))
    if len(order) != len(shape):
        return False
    expected = 1
    for dim in order:
        if shape[dim] != 1:
            if strides[dim] != expected:
                return False
            expected *= shape[dim]
    return True
