"""Padding: constant, reflection, replication, circular."""

from __future__ import annotations

from zerograd import errors
from zerograd.nn import functional as F
from zerograd.nn.common_types import Size2, Size4, Size6
from zerograd.nn.modules.module import Module
from zerograd.nn.modules.tuples import pair, quadruple, sextuple
from zerograd.tensor.tensor import Tensor


class _PadNd(Module):
    """What all paddings share: ``padding`` is (before, after) for each dimension, the last one first."""

    _mode: str
    padding: tuple[int, ...]

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    """Adds ``value`` on the sides."""

    __constants__ = ["padding", "value"]
    value: float

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Adds ``value`` around (N, C, L) or (C, L). Source: torch.nn.ConstantPad1d."""

    def __init__(self, padding: Size2, value: float) -> None:
        super().__init__(value)
        self.padding = pair(padding)


class ConstantPad2d(_ConstantPadNd):
    """Adds ``value`` around (N, C, H, W) or (C, H, W). Source: torch.nn.ConstantPad2d."""

    def __init__(self, padding: Size4, value: float) -> None:
        super().__init__(value)
        self.padding = quadruple(padding)


class ConstantPad3d(_ConstantPadNd):
    """Adds ``value`` around (N, C, D, H, W) or (C, D, H, W). Source: torch.nn.ConstantPad3d."""

    def __init__(self, padding: Size6, value: float) -> None:
        super().__init__(value)
        self.padding = sextuple(padding)


class ZeroPad1d(ConstantPad1d):
    """Adds zeros around (N, C, L) or (C, L). Source: torch.nn.ZeroPad1d."""

    def __init__(self, padding: Size2) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Adds zeros around (N, C, H, W) or (C, H, W). Source: torch.nn.ZeroPad2d."""

    def __init__(self, padding: Size4) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Adds zeros around (N, C, D, H, W) or (C, D, H, W). Source: torch.nn.ZeroPad3d."""

    def __init__(self, padding: Size6) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ReflectionPadNd(_PadNd):
    __constants__ = ["padding"]
    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Mirrors at the edges, which are not repeated, of (N, C, L) or (C, L).

    Source: torch.nn.ReflectionPad1d.
    """

    def __init__(self, padding: Size2) -> None:
        super().__init__()
        self.padding = pair(padding)


class ReflectionPad2d(_ReflectionPadNd):
    """Mirrors at the edges, which are not repeated, of (N, C, H, W) or (C, H, W).

    Source: torch.nn.ReflectionPad2d.
    """

    def __init__(self, padding: Size4) -> None:
        super().__init__()
        self.padding = quadruple(padding)


class ReflectionPad3d(_ReflectionPadNd):
    """Mirrors at the edges, which are not repeated, of (N, C, D, H, W) or (C, D, H, W).

    Source: torch.nn.ReflectionPad3d.
    """

    def __init__(self, padding: Size6) -> None:
        super().__init__()
        self.padding = sextuple(padding)


class _ReplicationPadNd(_PadNd):
    __constants__ = ["padding"]
    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Repeats the edges of (N, C, L) or (C, L). Source: torch.nn.ReplicationPad1d."""

    def __init__(self, padding: Size2) -> None:
        super().__init__()
        self.padding = pair(padding)


class ReplicationPad2d(_ReplicationPadNd):
    """Repeats the edges of (N, C, H, W) or (C, H, W). Source: torch.nn.ReplicationPad2d."""

    def __init__(self, padding: Size4) -> None:
        super().__init__()
        self.padding = quadruple(padding)


class ReplicationPad3d(_ReplicationPadNd):
    """Repeats the edges of (N, C, D, H, W) or (C, D, H, W). Source: torch.nn.ReplicationPad3d."""

    def __init__(self, padding: Size6) -> None:
        super().__init__()
        self.padding = sextuple(padding)


class _CircularPadNd(_PadNd):
    __constants__ = ["padding"]
    _mode = "circular"
    _dimensions: tuple[int, int]

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in self._dimensions:
            expected = " or ".join(f"{count}D" for count in self._dimensions)
            raise errors.value(f"{type(self).__name__} expected {expected} input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Continues from the other side of (N, C, L) or (C, L). Source: torch.nn.CircularPad1d."""

    _dimensions = (2, 3)

    def __init__(self, padding: Size2) -> None:
        super().__init__()
        self.padding = pair(padding)


class CircularPad2d(_CircularPadNd):
    """Continues from the other side of (N, C, H, W) or (C, H, W). Source: torch.nn.CircularPad2d."""

    _dimensions = (3, 4)

    def __init__(self, padding: Size4) -> None:
        super().__init__()
        self.padding = quadruple(padding)


class CircularPad3d(_CircularPadNd):
    """Continues from the other side of (N, C, D, H, W) or (C, D, H, W). Source: torch.nn.CircularPad3d."""

    _dimensions = (4, 5)

    def __init__(self, padding: Size6) -> None:
        super().__init__()
        self.padding = sextuple(padding)
