"""Normalization by means and variances over the batch, over features, over groups of channels; by norms."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors, shapes
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node, TensorType
from zerograd.ops import elementwise as ew
from zerograd.ops import normalization
from zerograd.ops.elementwise import add, convert, mul, plus, square, stop, sub, times
from zerograd.ops.movement import broadcast_to, reshape
from zerograd.ops.pooling import resample
from zerograd.ops.reduction import mean_of, norm
from zerograd.ops.source import filled
from zerograd.ops.transcendental import rsqrt
from zerograd.shapes import Shape, count
from zerograd.tensor.door import apply, labelled, reading, write_out
from zerograd.tensor.functions.refusals import FLOATING, INEXACT, require

HALF = (dtypes.float16, dtypes.bfloat16)


def _work_type(x: TensorType) -> dtype:
    """Half precision is normalized in float32."""
    return dtypes.float32 if x.dtype in HALF else x.dtype


def _check_parameters(name: str, x: TensorType, shape: Shape, parameters: dict[str, Node | None]) -> None:
    """Raises RuntimeError unless each parameter has this shape and the input's dtype (float32 for half precision)."""
    for role, one in parameters.items():
        if one is None:
            continue
        if one.shape != shape:
            raise errors.runtime(
                f"{name}: expected {role} of shape {list(shape)} (it should contain {count(shape)} elements), but"
                f" got {list(one.shape)}",
                input=x,
                **{role: one.type},
            )
        if one.dtype not in (x.dtype, _work_type(x)):
            raise errors.runtime(
                f"{name}: expected scalar type {x.dtype.name} but found {one.dtype.name} ({role})",
                input=x,
                hint="convert the input or the module with .to(dtype)",
            )


def standardized(x: Node, axes: Shape, eps: float) -> tuple[Node, Node, Node, Node]:
    """(x - mean) / sqrt(variance + eps) over axes; the mean, the variance and the last factor."""
    mean = mean_of(x, axes)
    centred = sub(x, broadcast_to(mean, x.shape))
    variance = mean_of(square(centred), axes)
    factor = rsqrt(plus(variance, eps))
    return normalization.standardized(x, mean, factor, axes=axes), mean, variance, factor


def _scaled(x: Node, weight: Node | None, bias: Node | None, shape: Shape) -> Node:
    """weight * x + bias, both reshaped so that they broadcast."""
    if weight is not None:
        x = mul(x, broadcast_to(reshape(convert(weight, x.dtype), shape=shape), x.shape))
    if bias is not None:
        x = add(x, broadcast_to(reshape(convert(bias, x.dtype), shape=shape), x.shape))
    return x


# --- over the batch --------------------------------------------------------------------------------------


def _blended(running: Node, new: Node, momentum: Node) -> Node:
    """(1 - momentum) * running + momentum * new, without history."""
    kind = running.dtype
    share = broadcast_to(convert(momentum, new.dtype), new.shape)
    old = reshape(convert(running, new.dtype), shape=new.shape)
    return convert(reshape(stop(add(old, mul(share, sub(new, old)))), shape=running.shape), kind)


def _refreshed(
    running: tuple[Node | None, Node | None], mean: Node, variance: Node, size: int, momentum: Node | None
) -> tuple[Node | None, Node | None]:
    """The running statistics after a batch; the variance there is the unbiased one, of ``size`` values."""
    if momentum is None:
        return None, None
    unbiased = times(variance, size / (size - 1) if size > 1 else float("nan"))
    pairs = zip(running, (stop(mean), stop(unbiased)), strict=True)
    old_mean, old_variance = [old and _blended(old, new, momentum) for old, new in pairs]
    return old_mean, old_variance


@reading
@labelled("NativeBatchNormBackward0")
def _batch_norm(
    x: Node,
    running_mean: Node | None,
    running_var: Node | None,
    weight: Node | None,
    bias: Node | None,
    momentum: Node | None,
    training: bool,
    eps: float,
) -> tuple[Node, Node | None, Node | None]:
    require("batch_norm", x, FLOATING)
    channels = x.shape[1] if x.rank > 1 else 0
    kind, work = x.dtype, _work_type(x.type)
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    _check_parameters("batch_norm", x.type, (channels,), named)
    if not x.type.count:
        return convert_new(x, kind), None, None
    across = (1, channels, *(1,) * (x.rank - 2))
    x = convert(x, work)
    if training:
        axes = tuple(i for i in range(x.rank) if i != 1)
        out, mean, variance, _ = standardized(x, axes, eps)
        size = x.type.count // max(channels, 1)
        updates = _refreshed((running_mean, running_var), mean, variance, size, momentum)
    elif running_mean is None or running_var is None:
        missing = "running_mean" if running_mean is None else "running_var"
        raise errors.runtime(
            f"batch_norm without training uses running_mean and running_var, and {missing} is None",
            hint="training=True",
        )
    else:
        mean = reshape(convert(running_mean, work), shape=across)
        factor = rsqrt(plus(reshape(convert(running_var, work), shape=across), eps))
        if weight is not None:
            factor, weight = mul(factor, reshape(convert(weight, work), shape=across)), None
        out = mul(sub(x, broadcast_to(mean, x.shape)), broadcast_to(factor, x.shape))
        updates = None, None
    return convert_new(_scaled(out, weight, bias, across), kind), updates[0], updates[1]


def convert_new(x: Node, kind: dtype) -> Node:
    """``x`` in another dtype; never an operand itself."""
    return ew.cast(x, dtype=kind)


def _check_more_than_one(size: Shape) -> None:
    if count((size[0], *size[2:])) == 1:
        raise errors.value(
            "while training, a channel's mean and variance need more than one value",
            input=list(size),
            hint="use a larger batch (drop_last=True in a DataLoader), or eval() mode",
        )


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel of (N, C, ...) minus its mean, divided by sqrt(variance + eps), times weight, plus bias.

    Args:
        running_mean, running_var: running statistics (C,). They are used when evaluating; in training they move
            towards the batch's by the share ``momentum``, in place (the variance towards the unbiased one).
        training: use the batch's own mean and (biased) variance.
    Raises:
        ValueError: in training, one value per channel.
        RuntimeError: parameters of another size than C.
    Source: torch.nn.functional.batch_norm.
    """
    if training and len(input._shape) > 1:
        _check_more_than_one(input._shape)
    updating = training and (running_mean is not None or running_var is not None)
    operands = (input, running_mean, running_var, weight, bias, float(momentum) if updating else None)
    out, mean, variance = apply(_batch_norm, operands, (bool(training), float(eps)))
    _put(running_mean, mean)
    _put(running_var, variance)
    return out


def _put(running: Any, new: Any) -> None:
    if new is not None:
        running._assign(new._node())


@reading
@labelled("ViewBackward0")
def _instance_norm(
    x: Node,
    running_mean: Node | None,
    running_var: Node | None,
    weight: Node | None,
    bias: Node | None,
    momentum: Node | None,
    eps: float,
) -> tuple[Node, Node | None, Node | None]:
    require("instance_norm", x, FLOATING)
    channels, kind = x.shape[1], x.dtype
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    _check_parameters("instance_norm", x.type, (channels,), named)
    x = convert(x, _work_type(x.type))
    out, mean, variance, _ = standardized(x, tuple(range(2, x.rank)), eps)
    averages = mean_of(mean, (0,)), mean_of(variance, (0,))
    size = count(x.shape[2:])
    updates = _refreshed((running_mean, running_var), *averages, size, momentum)
    across = (1, channels, *(1,) * (x.rank - 2))
    return convert_new(_scaled(out, weight, bias, across), kind), *updates


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """``batch_norm`` of each image of (N, C, ...) for itself.

    Args:
        use_input_stats: use each image's own statistics and let the running ones follow; else use those.
    Raises:
        ValueError: one value per channel and image.
        RuntimeError: parameters of another size than C.
    Source: torch.nn.functional.instance_norm.
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise errors.runtime("instance_norm with use_input_stats=False needs running_mean and running_var")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if count(input._shape[2:]) == 1:
        raise errors.value(
            "while training, instance_norm needs more than one element in a channel", input=list(input._shape)
        )
    updating = running_mean is not None or running_var is not None
    operands = (input, running_mean, running_var, weight, bias, float(momentum) if updating else None)
    out, mean, variance = apply(_instance_norm, operands, (float(eps),))
    _put(running_mean, mean)
    _put(running_var, variance)
    return out


# --- over features ---------------------------------------------------------------------------------------


def _feature_axes(name: str, x: TensorType, features: Shape, parameters: dict[str, Node | None]) -> Shape:
    """The last axes, which have the sizes ``features``."""
    if not features:
        raise errors.runtime(f"{name}: expected normalized_shape to contain at least one element")
    if x.shape[-len(features) :] != features:
        raise errors.runtime(
            f"{name}: given normalized_shape={list(features)}, expected input with shape"
            f" [*, {', '.join(map(str, features))}]",
            input=x,
        )
    _check_parameters(name, x, features, parameters)
    return tuple(range(x.rank - len(features), x.rank))


def layer_norm_nodes(
    x: Node, weight: Node | None, bias: Node | None, features: Shape, eps: float
) -> tuple[Node, Node, Node]:
    """The normalized features, their means and the factors that they were multiplied by."""
    require("layer_norm", x, FLOATING)
    axes = _feature_axes("layer_norm", x.type, features, {"weight": weight, "bias": bias})
    out, mean, _, factor = standardized(convert(x, _work_type(x.type)), axes, eps)
    return convert_new(_scaled(out, weight, bias, features), x.dtype), mean, factor


@reading
@labelled("NativeLayerNormBackward0")
def _layer_norm(x: Node, weight: Node | None, bias: Node | None, features: Shape, eps: float) -> Node:
    return layer_norm_nodes(x, weight, bias, features, eps)[0]


def _features(name: str, normalized_shape: Any) -> Shape:
    if not isinstance(normalized_shape, list | tuple):
        raise errors.type_(
            f"{name}(): argument 'normalized_shape' must be tuple of ints, not {type(normalized_shape).__name__}"
        )
    return tuple(int(one) for one in normalized_shape)


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each vector of features minus its mean, divided by sqrt(variance + eps), times weight, plus bias.

    Args:
        normalized_shape: sizes of the last dimensions, which are the features; also the parameters' shape.
    Raises:
        RuntimeError: the input does not end in these sizes, or the parameters do not have them.
    Source: torch.nn.functional.layer_norm.
    """
    features = _features("layer_norm", normalized_shape)
    return apply(_layer_norm, (input, weight, bias), (features, float(eps)))


@labelled("MulBackward0")
def _rms_norm(x: Node, weight: Node | None, features: Shape, eps: float | None) -> Node:
    require("rms_norm", x, INEXACT)
    axes = _feature_axes("rms_norm", x.type, features, {"weight": weight})
    wide = convert(x, _work_type(x.type))
    if eps is None:
        eps = 2.0**-52 if wide.dtype.to_real() is dtypes.float64 else 2.0**-23
    factor = rsqrt(plus(mean_of(square(wide), axes), eps))
    out = mul(wide, broadcast_to(factor, wide.shape))
    return convert_new(_scaled(out, weight, None, features), x.dtype)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Each vector of features divided by sqrt(mean of squares + eps), times weight.

    Args:
        normalized_shape: sizes of the last dimensions, which are the features; also the weight's shape.
        eps: by default the rounding unit of the dtype computed in.
    Raises:
        RuntimeError: the input does not end in these sizes, or the weight does not have them.
    Source: torch.nn.functional.rms_norm.
    """
    eps = None if eps is None else float(eps)
    return apply(_rms_norm, (input, weight), (_features("rms_norm", normalized_shape), eps))


# --- over channels ---------------------------------------------------------------------------------------


def group_norm_nodes(
    x: Node, weight: Node | None, bias: Node | None, groups: int, eps: float
) -> tuple[Node, Node, Node]:
    """The normalized channels, their groups' means and the factors that they were multiplied by."""
    require("group_norm", x, FLOATING)
    batch, channels, *size = x.shape
    _check_parameters("group_norm", x.type, (channels,), {"weight": weight, "bias": bias})
    wide = convert(x, _work_type(x.type))
    grouped = reshape(wide, shape=(batch, groups, (channels // groups) * count(size)))
    out, mean, _, factor = standardized(grouped, (2,), eps)
    out = _scaled(reshape(out, shape=x.shape), weight, bias, (1, channels, *(1,) * len(size)))
    return convert_new(out, x.dtype), mean, factor


@reading
@labelled("NativeGroupNormBackward0")
def _group_norm(x: Node, weight: Node | None, bias: Node | None, groups: int, eps: float) -> Node:
    return group_norm_nodes(x, weight, bias, groups, eps)[0]


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each group of neighbouring channels of (N, C, ...) minus its mean, divided by sqrt(variance + eps).

    Args:
        weight, bias: (C,), then multiply and shift each channel.
    Raises:
        RuntimeError: the channels cannot be divided into so many groups, or parameters of another size than C.
        ValueError: one value per group.
    Source: torch.nn.functional.group_norm.
    """
    shape = input._shape
    if len(shape) < 2:
        raise errors.runtime("group_norm: expected at least 2 dimensions (batch and channels)", input=input._type)
    if num_groups < 1 or shape[1] % num_groups:
        raise errors.runtime(
            f"group_norm: {shape[1]} channels cannot be cut into {num_groups} groups",
            input=input._type,
            num_groups=num_groups,
        )
    _check_more_than_one((shape[0] * shape[1] // num_groups, num_groups, *shape[2:]))
    return apply(_group_norm, (input, weight, bias), (num_groups, float(eps)))


@labelled("DivBackward0")
def _local_response_norm(x: Node, size: int, alpha: float, beta: float, k: float) -> Node:
    channels = x.shape[1]
    table = tuple(
        tuple(i if 0 <= i < channels else -1 for i in range(c - size // 2, c - size // 2 + size))
        for c in range(channels)
    )
    mean = times(resample(square(x), axis=1, table=table, weights=None), 1 / size)
    return ew.div(x, ew.pow(plus(times(mean, alpha), k), filled(beta, x.type)))


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """x / (k + alpha * mean of squares over ``size`` neighbouring channels) ^ beta.

    Raises:
        ValueError: the input has fewer than 3 dimensions.
    Source: torch.nn.functional.local_response_norm.
    """
    rank = len(input._shape)
    if rank < 3:
        raise errors.value(
            f"local_response_norm takes (batch, channels, ...) with at least one size, not {rank} dimensions"
        )
    if 0 in input._shape:
        return input
    return apply(_local_response_norm, (input,), (int(size), float(alpha), float(beta), float(k)))


# --- by norms --------------------------------------------------------------------------------------------


@labelled("DivBackward0")
def _normalize(x: Node, p: float, dims: Any, eps: float) -> Node:
    if not x.dtype.is_inexact:
        raise errors.runtime("normalize divides, so it needs a floating or complex dtype", input=x.type)
    axes = shapes.axes(dims, x.rank)
    length = norm(x, axes=axes, p=p)
    least = ew.clamp_min(length, filled(eps, length.type))
    return ew.div(x, convert(broadcast_to(least, x.shape), x.dtype))


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """``input`` divided by the ``p``-norm along ``dim``, at least ``eps``. Source: torch.nn.functional.normalize."""
    dims = tuple(dim) if isinstance(dim, list | tuple) else dim
    result = apply(_normalize, (input,), (float(p), dims, float(eps)))
    return result if out is None else write_out("normalize", result, out)
