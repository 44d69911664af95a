"""Convolutions and transposed convolutions in one to three dimensions, and their lazy forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from zerograd import errors
from zerograd.nn import functional as F
from zerograd.nn import init
from zerograd.nn.common_types import Size1, Size2, Size3
from zerograd.nn.modules.module import Module
from zerograd.nn.modules.tuples import pair, reverse_repeat, single, triple
from zerograd.nn.parameter import Parameter
from zerograd.tensor.functions.creation import empty
from zerograd.tensor.tensor import Tensor

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share.

    Shapes: input (N, in_channels, *) or (in_channels, *); weight (out_channels, in_channels / groups,
    *kernel_size),
    or (in_channels, out_channels / groups, *kernel_size) if transposed; bias (out_channels).
    Initial values: uniform within 1/sqrt(fan_in), where fan_in counts the inputs of one output.

    Raises:
        ValueError: groups do not divide the channels, or an unknown padding or padding mode.
    """

    __constants__ = [
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    ]
    _function: str  # its name in nn.functional
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int
    padding_mode: str
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise errors.value(f"a convolution has 1 group or more, not {groups}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups != 0:
                raise errors.value(f"{name} must be divisible by groups, but {channels} is not by {groups}")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise errors.value(f"padding {padding!r} is unknown: give numbers, 'same' or 'valid'")
            if padding == "same" and any(step != 1 for step in stride):
                raise errors.value(f"padding='same' needs stride 1, got {stride}")
        if padding_mode not in PADDING_MODES:
            raise errors.value(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._pad_argument()
        shape = (
            (in_channels, out_channels // groups, *kernel_size)
            if transposed
            else (out_channels, in_channels // groups, *kernel_size)
        )
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _pad_argument(self) -> list[int]:
        """The padding as `functional.pad` takes it: two numbers per dimension, the last dimension first."""
        if not isinstance(self.padding, str):
            return list(reverse_repeat(self.padding, 2))
        if self.padding == "valid":
            return [0, 0] * len(self.kernel_size)
        totals = [step * (size - 1) for step, size in zip(self.dilation, self.kernel_size, strict=True)]
        return [part for total in reversed(totals) for part in (total // 2, total - total // 2)]

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * len(self.kernel_size)
        convolve = getattr(F, self._function)
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        parts = [
            str(self.in_channels),
            str(self.out_channels),
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        if self.padding != (0,) * len(self.padding):
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * len(self.dilation):
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * len(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "padding_mode" not in self.__dict__:
            self.padding_mode = "zeros"


class Conv1d(_ConvNd):
    """Convolution (cross-correlation) over (N, C, L) or (C, L).

    Args:
        kernel_size, stride, dilation: one number, or one per dimension.
        padding: zeros (or what ``padding_mode`` says) added on both sides; "same" keeps the size, "valid"
            adds none.
        groups: the channels are split into this many groups that do not see each other.
        padding_mode: zeros, reflect, replicate or circular.
    Source: torch.nn.Conv1d.
    """

    _function = "conv1d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size1,
        stride: Size1 = 1,
        padding: str | Size1 = 0,
        dilation: Size1 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            single(kernel_size),
            single(stride),
            padding if isinstance(padding, str) else single(padding),
            single(dilation),
            False,
            single(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class Conv2d(_ConvNd):
    """Convolution (cross-correlation) over (N, C, H, W) or (C, H, W).

    Args:
        kernel_size, stride, dilation: one number, or one per dimension.
        padding: zeros (or what ``padding_mode`` says) added on both sides; "same" keeps the size, "valid"
            adds none.
        groups: the channels are split into this many groups that do not see each other.
        padding_mode: zeros, reflect, replicate or circular.
    Source: torch.nn.Conv2d.
    """

    _function = "conv2d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        stride: Size2 = 1,
        padding: str | Size2 = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            pair(kernel_size),
            pair(stride),
            padding if isinstance(padding, str) else pair(padding),
            pair(dilation),
            False,
            pair(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class Conv3d(_ConvNd):
    """Convolution (cross-correlation) over (N, C, D, H, W) or (C, D, H, W).

    Args:
        kernel_size, stride, dilation: one number, or one per dimension.
        padding: zeros (or what ``padding_mode`` says) added on both sides; "same" keeps the size, "valid"
            adds none.
        groups: the channels are split into this many groups that do not see each other.
        padding_mode: zeros, reflect, replicate or circular.
    Source: torch.nn.Conv3d.
    """

    _function = "conv3d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size3,
        stride: Size3 = 1,
        padding: str | Size3 = 0,
        dilation: Size3 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            triple(kernel_size),
            triple(stride),
            padding if isinstance(padding, str) else triple(padding),
            triple(dilation),
            False,
            triple(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class _ConvTransposeNd(_ConvNd):
    """What transposed convolutions share.

    Raises:
        ValueError: a padding mode other than zeros.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise errors.value(f"{type(self).__name__} can only pad with zeros, not padding_mode={padding_mode!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            transposed,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Any,
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> tuple[int, ...]:
        """The rows to add at the end so that the output has ``output_size``.

        Raises:
            ValueError: no padding gives that size.
        """
        if output_size is None:
            return self.output_padding
        leading = input.dim() - num_spatial_dims
        if len(output_size) == leading + num_spatial_dims:
            output_size = output_size[leading:]
        if len(output_size) != num_spatial_dims:
            raise errors.value(
                f"output_size needs {num_spatial_dims} or {leading + num_spatial_dims} entries for an input"
                f" of {input.dim()} dimensions, got {len(output_size)}"
            )
        spread = dilation or (1,) * num_spatial_dims
        smallest = [
            (size - 1) * stride[d] - 2 * padding[d] + spread[d] * (kernel_size[d] - 1) + 1
            for d, size in enumerate(input.shape[leading:])
        ]
        largest = [low + stride[d] - 1 for d, low in enumerate(smallest)]
        if not all(low <= size <= high for low, size, high in zip(smallest, output_size, largest, strict=True)):
            raise errors.value(
                f"output_size {list(output_size)} is not possible: it lies between {smallest} and {largest}",
                input=list(input.shape),
            )
        return tuple(size - low for size, low in zip(output_size, smallest, strict=True))

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        dimensions = len(self.kernel_size)
        output_padding = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, dimensions, self.dilation
        )
        convolve = getattr(F, self._function)
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            output_padding,
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_ConvTransposeNd):
    """The adjoint of Conv1d: what it does to gradients, as a layer.

    Args:
        padding: rows removed on both sides of the output.
        output_padding: rows added on one side, to choose between the sizes that a strided convolution maps to
            one.
    Source: torch.nn.ConvTranspose1d.
    """

    _function = "conv_transpose1d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size1,
        stride: Size1 = 1,
        padding: Size1 = 0,
        output_padding: Size1 = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size1 = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            single(kernel_size),
            single(stride),
            single(padding),
            single(dilation),
            True,
            single(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class ConvTranspose2d(_ConvTransposeNd):
    """The adjoint of Conv2d: what it does to gradients, as a layer.

    Args:
        padding: rows removed on both sides of the output.
        output_padding: rows added on one side, to choose between the sizes that a strided convolution maps to
            one.
    Source: torch.nn.ConvTranspose2d.
    """

    _function = "conv_transpose2d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        stride: Size2 = 1,
        padding: Size2 = 0,
        output_padding: Size2 = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size2 = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            pair(kernel_size),
            pair(stride),
            pair(padding),
            pair(dilation),
            True,
            pair(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class ConvTranspose3d(_ConvTransposeNd):
    """The adjoint of Conv3d: what it does to gradients, as a layer.

    Args:
        padding: rows removed on both sides of the output.
        output_padding: rows added on one side, to choose between the sizes that a strided convolution maps to
            one.
    Source: torch.nn.ConvTranspose3d.
    """

    _function = "conv_transpose3d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size3,
        stride: Size3 = 1,
        padding: Size3 = 0,
        output_padding: Size3 = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size3 = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            triple(kernel_size),
            triple(stride),
            triple(padding),
            triple(dilation),
            True,
            triple(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
