"""Convolutions, transposed convolutions, and windows laid out as columns."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node, TensorType
from zerograd.nn.functional.geometry import known_again, per_axis
from zerograd.ops import contraction
from zerograd.ops import convolution as ops
from zerograd.ops.elementwise import add
from zerograd.ops.movement import broadcast_to, pad, permute, reshape
from zerograd.shapes import Shape, count
from zerograd.tensor.door import apply, labelled, reading


class Convolution:
    """The arguments of a convolution; ``padding`` is (before, after) per axis."""

    __slots__ = ("dilation", "groups", "label", "name", "padding", "stride")

    def __init__(
        self,
        name: str,
        stride: Shape,
        padding: ops.Padding,
        dilation: Shape,
        groups: int,
        label: str = "ConvolutionBackward0",
    ) -> None:
        self.name, self.stride, self.padding = name, stride, padding
        self.dilation, self.groups, self.label = dilation, groups, label

    @property
    def rank(self) -> int:
        return len(self.stride)

    def geometry(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def check(self, x: TensorType, w: TensorType, bias: Node | None, transposed: bool) -> None:
        """Raises RuntimeError if the operands do not fit each other."""
        rank, groups = self.rank, self.groups
        if x.rank not in (rank + 1, rank + 2):
            raise errors.runtime(
                f"{self.name} expects a {rank + 1}D (unbatched) or {rank + 2}D (batched) input",
                input=x,
                weight=w,
            )
        if w.rank != rank + 2:
            raise errors.runtime(
                f"{self.name} expects a weight with {rank + 2} dimensions, not {w.rank}",
                weight=w,
                hint=f"its shape is (out_channels, in_channels / groups{', size' * rank})",
            )
        self._check_channels(x, w, bias, transposed)
        if groups < 1 or min(self.stride) < 1 or min(self.dilation) < 1 or min(map(min, self.padding)) < 0:
            raise errors.runtime(
                f"{self.name}: non-positive stride, dilation or groups, or negative padding is not supported",
                **self.geometry(),
            )
        for one in (w, *([] if bias is None else [bias.type])):
            if one.dtype is not x.dtype:
                raise errors.runtime(
                    f"{self.name} needs input, weight and bias of one dtype, but {x.dtype.name} != {one.dtype.name}",
                    input=x,
                    weight=w,
                    hint=f"convert the input with .to(torch.{w.dtype.name}), or the module with .to(...)",
                )

    def _check_channels(self, x: TensorType, w: TensorType, bias: Node | None, transposed: bool) -> None:
        groups = self.groups
        channels = x.shape[-self.rank - 1]
        if groups > 0 and (w.shape[0] < groups or w.shape[0] % groups):
            raise errors.runtime(
                f"given groups={groups}, the weight should be divisible by {groups} at dimension 0",
                weight=w,
            )
        wanted = w.shape[0] if transposed else w.shape[1] * groups
        if groups > 0 and channels != wanted:
            raise errors.runtime(
                f"{self.name}: the weight (groups={groups}) expects input with {wanted} channels, but got"
                f" {channels} channels instead",
                input=x,
                weight=w,
            )
        features = w.shape[1] * groups if transposed else w.shape[0]
        if bias is not None and bias.shape != (features,):
            raise errors.runtime(
                f"{self.name} needs a bias of {features} numbers, one for each output channel",
                bias=bias.type,
                weight=w,
            )


def _with_bias(out: Node, bias: Node | None) -> Node:
    if bias is None:
        return out
    column = reshape(bias, shape=(bias.shape[0], *(1,) * (out.rank - 2)))
    return add(out, broadcast_to(column, out.shape))


def _batched(x: Node, rank: int) -> Node:
    return x if x.rank == rank + 2 else reshape(x, shape=(1, *x.shape))


def _like(out: Node, x: Node) -> Node:
    """Without the batch axis if ``x`` came without one."""
    return out if out.rank == x.rank else reshape(out, shape=out.shape[1:])


@reading
def _convolution(x: Node, w: Node, bias: Node | None, how: Convolution) -> Node:
    how.check(x.type, w.type, bias, False)
    images = _batched(x, how.rank)
    windows = ops.window_counts(images.shape[2:], w.shape[2:], how.stride, how.padding, how.dilation)
    if min(windows) < 1:
        padded = [n + a + b for n, (a, b) in zip(images.shape[2:], how.padding, strict=True)]
        raise errors.runtime(
            f"{how.name}: a window of {' x '.join(map(str, w.shape[2:]))} does not fit into the padded input of"
            f" {' x '.join(map(str, padded))}",
            input=x.type,
            weight=w.type,
            padding=how.padding,
            dilation=how.dilation,
        )
    return _like(_with_bias(ops.conv(images, w, **how.geometry()), bias), x)


@reading
def _transposed_convolution(x: Node, w: Node, bias: Node | None, how: Convolution, extra: Shape) -> Node:
    how.check(x.type, w.type, bias, True)
    for more, s, d in zip(extra, how.stride, how.dilation, strict=True):
        if not 0 <= more < max(s, d):
            raise errors.runtime(
                f"{how.name}: output padding is 0 or more, and less than the stride or the dilation",
                output_padding=extra,
                stride=how.stride,
                dilation=how.dilation,
            )
    images = _batched(x, how.rank)
    axes = list(zip(images.shape[2:], w.shape[2:], how.stride, how.padding, how.dilation, extra, strict=True))
    size = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + more for n, k, s, (p, _), d, more in axes)
    if min(size) < 1:
        raise errors.runtime(
            f"{how.name}: output size is too small, {' x '.join(map(str, size))}", input=x.type, weight=w.type
        )
    # Of the extra rows, one stride less one can be in a window's reach. Those beyond are taken from the padding
    # that is cut off, and where there is none, they are zeros.
    beyond = [max(more - s + 1, 0) for *_, s, _, _, more in axes]
    around = tuple((p, max(p - b, 0)) for (p, _), b in zip(how.padding, beyond, strict=True))
    missing = tuple(max(b - p, 0) for (p, _), b in zip(how.padding, beyond, strict=True))
    reached = tuple(n - m for n, m in zip(size, missing, strict=True))
    geometry = {**how.geometry(), "padding": around}
    out = ops.conv_input(images, w, size=reached, **geometry)
    if any(missing):
        out = pad(out, (0,) * out.rank, (0, 0, *missing))
    return _like(_with_bias(out, bias), x)


def _same_padding(name: str, kernel: Shape, dilation: Shape, stride: Shape) -> ops.Padding:
    if max(stride) > 1:
        raise errors.runtime(f'{name}: padding="same" keeps the size, but a stride reduces it', stride=stride)
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((one // 2, one - one // 2) for one in total)


@known_again
def _arguments(
    name: str, rank: int, stride: Any, padding: Any, dilation: Any, groups: int, kernel: Shape | None
) -> Convolution:
    """The arguments of a convolution, one number per axis; ``kernel`` is needed for "same" padding only."""
    stride = per_axis(name, "stride", stride, rank)
    dilation = per_axis(name, "dilation", dilation, rank)
    if not isinstance(padding, str):
        around = tuple((one, one) for one in per_axis(name, "padding", padding, rank))
    elif padding == "same" and kernel is not None:
        around = _same_padding(name, kernel, dilation, stride)
    elif padding == "valid":
        around = ((0, 0),) * rank
    else:
        raise errors.runtime(f"{name}: invalid padding string {padding!r}", hint="use 'same' or 'valid'")
    return Convolution(name, stride, around, dilation, groups)


def _convolve(
    name: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Any:
    kernel = weight._shape[2:] if padding == "same" else None
    how = _arguments(name, rank, stride, padding, dilation, groups, kernel)
    return apply(_convolution, (input, weight, bias), (how,))


def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Cross-correlation of (N, C, L) or (C, L) with ``weight`` (O, C / groups, k).

    Args:
        padding: zeros on both sides, or "same" (stride 1 only) or "valid".
    Raises:
        RuntimeError: shapes, dtypes or arguments do not fit each other.
    Source: torch.nn.functional.conv1d.
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Cross-correlation of (N, C, H, W) or (C, H, W) with ``weight`` (O, C / groups, kH, kW).

    Args:
        padding: zeros on both sides, or "same" (stride 1 only) or "valid".
    Raises:
        RuntimeError: shapes, dtypes or arguments do not fit each other.
    Source: torch.nn.functional.conv2d.
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Cross-correlation of (N, C, D, H, W) or (C, D, H, W) with ``weight`` (O, C / groups, kD, kH, kW).

    Args:
        padding: zeros on both sides, or "same" (stride 1 only) or "valid".
    Raises:
        RuntimeError: shapes, dtypes or arguments do not fit each other.
    Source: torch.nn.functional.conv3d.
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _transposed(
    name: str,
    rank: int,
    operands: tuple[Any, ...],
    stride: Any,
    padding: Any,
    extra: Any,
    groups: int,
    dilation: Any,
) -> Any:
    how = _arguments(name, rank, stride, padding, dilation, groups, None)
    return apply(_transposed_convolution, operands, (how, per_axis(name, "output_padding", extra, rank)))


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of ``conv1d``: ``weight`` is (C, O / groups, k).

    Args:
        padding: how much of each side of the result is cut off.
        output_padding: rows added on one side, to choose between the sizes that a strided convolution maps to one.
    Raises:
        RuntimeError: shapes, dtypes or arguments do not fit each other.
    Source: torch.nn.functional.conv_transpose1d.
    """
    operands = (input, weight, bias)
    return _transposed("conv_transpose1d", 1, operands, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of ``conv2d``: ``weight`` is (C, O / groups, kH, kW); see ``conv_transpose1d``.

    Source: torch.nn.functional.conv_transpose2d.
    """
    operands = (input, weight, bias)
    return _transposed("conv_transpose2d", 2, operands, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of ``conv3d``: ``weight`` is (C, O / groups, kD, kH, kW); see ``conv_transpose1d``.

    Source: torch.nn.functional.conv_transpose3d.
    """
    operands = (input, weight, bias)
    return _transposed("conv_transpose3d", 3, operands, stride, padding, output_padding, groups, dilation)


@labelled("ConvTbcBackward0")
def _conv_tbc(x: Node, w: Node, bias: Node, padding: int) -> Node:
    if x.rank != 3 or w.rank != 3 or bias.rank != 1:
        raise errors.runtime(
            "conv_tbc expects an input (time, batch, channels), a weight (size, channels, features) and a bias"
            " (features)",
            input=x.type,
            weight=w.type,
            bias=bias.type,
        )
    how = Convolution("conv_tbc", (1,), ((padding, padding),), (1,), 1)
    out = _convolution(permute(x, order=(1, 2, 0)), permute(w, order=(2, 1, 0)), bias, how)
    return permute(out, order=(2, 0, 1))


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """A convolution along the first axis of (time, batch, channels), with ``weight`` (k, channels, features).

    Source: torch.nn.functional.conv_tbc.
    """
    return apply(_conv_tbc, (input, weight, bias), (pad,))


# --- windows as columns --------------------------------------------------------------------------------


def _blocks(name: str, size: Shape, kernel: Shape, dilation: Shape, padding: Shape, stride: Shape) -> Shape:
    around = tuple((one, one) for one in padding)
    if min(kernel) < 1 or min(dilation) < 1 or min(stride) < 1 or min(padding) < 0:
        raise errors.runtime(
            f"{name}: kernel size, dilation and stride are 1 or more, padding is 0 or more",
            kernel_size=kernel,
            dilation=dilation,
            padding=padding,
            stride=stride,
        )
    blocks = ops.window_counts(size, kernel, stride, around, dilation)
    if min(blocks) < 1:
        raise errors.runtime(
            f"{name}: not one block fits into the padded input",
            size=size,
            kernel_size=kernel,
            dilation=dilation,
            padding=padding,
        )
    return blocks


@labelled("Im2ColBackward0")
def _unfold(x: Node, kernel: Shape, dilation: Shape, padding: Shape, stride: Shape) -> Node:
    if x.rank not in (3, 4) or 0 in x.shape[-3:]:
        raise errors.index(
            "unfold takes an image (channels, height, width) or a batch of them, with elements", input=x.type
        )
    images = _batched(x, 2)
    _blocks("unfold", images.shape[2:], kernel, dilation, padding, stride)
    around = tuple((one, one) for one in padding)
    out = ops.unfold(images, kernel=kernel, stride=stride, padding=around, dilation=dilation)
    return out if x.rank == 4 else reshape(out, shape=out.shape[1:])


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of (N, C, H, W) or (C, H, W) as columns: (N, C * kH * kW, windows).

    Raises:
        RuntimeError: no window fits, or the input is no image.
    Source: torch.nn.functional.unfold.
    """
    return apply(_unfold, (input,), _column_arguments("unfold", kernel_size, dilation, padding, stride))


def _column_arguments(name: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Shape, ...]:
    return (
        per_axis(name, "kernel_size", kernel, 2),
        per_axis(name, "dilation", dilation, 2),
        per_axis(name, "padding", padding, 2),
        per_axis(name, "stride", stride, 2),
    )


@labelled("Col2ImBackward0")
def _fold(x: Node, size: Shape, kernel: Shape, dilation: Shape, padding: Shape, stride: Shape) -> Node:
    if x.rank not in (2, 3) or 0 in x.shape[-2:]:
        raise errors.runtime(
            "fold takes blocks as columns of a matrix, or a batch of such matrices, with elements", input=x.type
        )
    blocks = _blocks("fold", size, kernel, dilation, padding, stride)
    if x.shape[-2] % count(kernel):
        raise errors.runtime(
            f"fold needs a row for each element of a block in each channel, but {x.shape[-2]} is not a multiple of"
            f" {count(kernel)}",
            input=x.type,
        )
    if x.shape[-1] != count(blocks):
        raise errors.runtime(
            f"fold: expected as many columns as sliding blocks, {' * '.join(map(str, blocks))} = {count(blocks)},"
            f" but the input has {x.shape[-1]}",
            input=x.type,
            output_size=size,
        )
    around = tuple((one, one) for one in padding)
    columns = x if x.rank == 3 else reshape(x, shape=(1, *x.shape))
    out = ops.fold(columns, size=size, kernel=kernel, stride=stride, padding=around, dilation=dilation)
    return out if x.rank == 3 else reshape(out, shape=out.shape[1:])


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns (N, C * kH * kW, windows) added up into images (N, C, H, W) of ``output_size``.

    Raises:
        RuntimeError: the columns do not fit the windows of such an image.
    Source: torch.nn.functional.fold.
    """
    size = per_axis("fold", "output_size", output_size, 2)
    return apply(_fold, (input,), (size, *_column_arguments("fold", kernel_size, dilation, padding, stride)))


# --- two inputs ----------------------------------------------------------------------------------------


@labelled("BilinearBackward0")
def _bilinear(x: Node, y: Node, w: Node, bias: Node | None) -> Node:
    if x.rank != y.rank or x.shape[:-1] != y.shape[:-1]:
        raise errors.runtime("bilinear: the batch dimensions of the inputs do not match", input1=x.type, input2=y.type)
    if w.rank != 3 or (x.shape[-1], y.shape[-1]) != w.shape[1:]:
        raise errors.runtime(
            "bilinear: the inputs do not match the weight, (features, size of input1, size of input2)",
            input1=x.type,
            input2=y.type,
            weight=w.type,
        )
    features, m, n = w.shape
    if bias is not None and bias.shape != (features,):
        raise errors.runtime("bilinear: the bias does not match the weight", bias=bias.type, weight=w.type)
    rows = count(x.shape[:-1])
    left = reshape(x, shape=(rows, m))
    table = reshape(permute(w, order=(1, 0, 2)), shape=(m, features * n))
    half = reshape(contraction.matmul(left, table), shape=(rows, features, n))
    out = contraction.matmul(half, reshape(y, shape=(rows, n, 1)))
    out = reshape(out, shape=(*x.shape[:-1], features))
    return out if bias is None else add(out, broadcast_to(bias, out.shape))


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """x1ᵀ W_o x2 + b_o for each feature o: (*, m), (*, n), (features, m, n) -> (*, features).

    Raises:
        RuntimeError: the shapes do not fit each other.
    Source: torch.nn.functional.bilinear.
    """
    return apply(_bilinear, (input1, input2, weight, bias))
