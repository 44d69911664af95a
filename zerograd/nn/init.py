"""Initial values of parameters, in place. For the same seed they are PyTorch's.

``fan_in`` and ``fan_out`` are how many numbers enter and leave one unit: for a weight of shape
(out, in, *kernel) they are ``in * prod(kernel)`` and ``out * prod(kernel)``.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, Final

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.tensor.functions.random import randperm
from zerograd.tensor.generator import Generator
from zerograd.tensor.tensor import Tensor

__all__ = [
    "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal",
    "kaiming_normal_", "kaiming_uniform", "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal",
    "orthogonal_", "sparse", "sparse_", "trunc_normal_", "uniform", "uniform_", "xavier_normal",
    "xavier_normal_", "xavier_uniform", "xavier_uniform_", "zeros_",
]  # fmt: skip

_GAINS: Final = {
    "linear": 1, "conv1d": 1, "conv2d": 1, "conv3d": 1, "conv_transpose1d": 1, "conv_transpose2d": 1,
    "conv_transpose3d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor by which weights before this nonlinearity are scaled to keep the variance of activations.

    Args:
        nonlinearity: as it is called in nn.functional.
        param: the negative slope of leaky_relu, 0.01 by default.
    Raises:
        ValueError: an unknown nonlinearity, or a slope that is no number.
    Source: torch.nn.init.calculate_gain.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise errors.value("leaky_relu's negative slope must be a number", param=param)
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise errors.value(
            f"no gain is known for the nonlinearity {nonlinearity!r}",
            known=", ".join([*_GAINS, "leaky_relu"]),
        )
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    if tensor.dim() < 2:
        raise errors.value(
            "fan in and fan out need a weight of at least 2 dimensions: (out, in, *kernel)",
            shape=list(tensor.shape),
            hint="initialise biases with zeros_ or uniform_",
        )
    outputs, inputs, *kernel = tensor.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise errors.value(f"the mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode.lower() == "fan_in" else fan_out


# --- the same everywhere -------------------------------------------------------------------------


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """The number ``val`` everywhere. Source: torch.nn.init.constant_."""
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones. Source: torch.nn.init.ones_."""
    return constant_(tensor, 1.0)


@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros. Source: torch.nn.init.zeros_."""
    return tensor.zero_()


# --- identities ----------------------------------------------------------------------------------


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix. Source: torch.nn.init.eye_.

    Raises:
        ValueError: not 2 dimensions.
    """
    _need_matrix("eye_", tensor)
    tensor.zero_()
    tensor.diagonal().fill_(1)
    return tensor


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The convolution weight that hands its input on: 1 at the centre of each channel's own kernel, else 0.

    Args:
        tensor: shape (out, in, *kernel) with 1 to 3 kernel dimensions.
        groups: each group of output channels hands on the same input channels.
    Raises:
        ValueError: another number of dimensions, or output channels that groups do not divide.
    Source: torch.nn.init.dirac_.
    """
    if tensor.dim() not in (3, 4, 5):
        raise errors.value("dirac_ needs a tensor with 3, 4, or 5 dimensions", shape=list(tensor.shape))
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups:
        raise errors.value("groups must divide dimension 0", shape=list(tensor.shape), groups=groups)
    tensor.zero_()
    channels = min(outputs // groups, inputs)
    centre = [size // 2 for size in kernel]
    for group in range(groups):
        first = group * (outputs // groups)
        block = tensor[(slice(first, first + channels), slice(0, channels), *centre)]
        block.diagonal().fill_(1)
    return tensor


# --- random --------------------------------------------------------------------------------------


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [a, b). Source: torch.nn.init.uniform_."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers with this mean and standard deviation. Source: torch.nn.init.normal_."""
    return tensor.normal_(mean, std, generator=generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers within gain * sqrt(6 / (fan_in + fan_out)).

    Source: torch.nn.init.xavier_uniform_; Glorot and Bengio, 2010.
    """
    bound = math.sqrt(3.0) * _xavier_deviation(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers of standard deviation gain * sqrt(2 / (fan_in + fan_out)).

    Source: torch.nn.init.xavier_normal_; Glorot and Bengio, 2010.
    """
    return normal_(tensor, 0.0, _xavier_deviation(tensor, gain), generator)


def _xavier_deviation(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers within gain * sqrt(3 / fan).

    Args:
        a: the negative slope of the leaky_relu behind the layer.
        mode: "fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass.
        nonlinearity: what stands behind the layer, as for ``calculate_gain``.
    Source: torch.nn.init.kaiming_uniform_; He et al., 2015.
    """
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers of standard deviation gain / sqrt(fan); the arguments are those of ``kaiming_uniform_``.

    Source: torch.nn.init.kaiming_normal_; He et al., 2015.
    """
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_deviation(tensor, a, mode, nonlinearity), generator)


def _kaiming_deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _is_empty(tensor: Tensor) -> bool:
    if 0 not in tensor.shape:
        return False
    warnings.warn("initializing a tensor without elements does nothing", stacklevel=3)
    return True


@no_grad()
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, those outside [a, b] drawn anew until they lie inside.

    Source: torch.nn.init.trunc_normal_.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "trunc_normal_: [a, b] lies more than 2 std from the mean, where few numbers are drawn, so they may not be"
            " distributed as they should",
            stacklevel=2,
        )
    accepted = _normal_share((b - mean) / std) - _normal_share((a - mean) / std)
    if accepted > 0.3:
        return _redrawn(tensor, mean, std, a, b, generator)
    return _by_rejection(tensor, mean, std, a, b, generator)


def _normal_share(x: float) -> float:
    """How much of the standard normal distribution lies below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _redrawn(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None) -> Tensor:
    low, high = (tensor.new_tensor(bound).item() for bound in (a, b))  # as the dtype represents them
    result = tensor.normal_(mean, std, generator=generator)
    while (outside := (result < low) | (result > high)).any():
        result = result.clone().normal_(mean, std, generator=generator).where(outside, result)
    return tensor if result is tensor else tensor.copy_(result)


def _by_rejection(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None) -> Tensor:
    """Uniform candidates, kept with the density at their place relative to the highest in [a, b]."""
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    result: Any = None
    pending: Any = None
    while pending is None or pending.any():
        candidates = tensor.clone().uniform_(a, b, generator=generator)
        result = candidates if result is None else candidates.where(pending, result)
        log_density = candidates.clone().sub_(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak)
        rejected = tensor.clone().uniform_(generator=generator).log_().gt(log_density)
        pending = rejected if pending is None else pending & rejected
    return tensor.copy_(result)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A matrix with orthonormal rows or columns (whichever are fewer) times ``gain``, uniform among all.

    More than 2 dimensions are taken as (dimension 0, all the others).

    Raises:
        ValueError: fewer than 2 dimensions.
    Source: torch.nn.init.orthogonal_; Saxe et al., 2013; Mezzadri, 2006.
    """
    if tensor.dim() < 2:
        raise errors.value("orthogonal_ needs at least 2 dimensions", shape=list(tensor.shape))
    if not tensor.numel():
        return tensor
    from zerograd.linalg import qr  # needed here only

    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    flat = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
    q, r = qr(flat.t() if rows < columns else flat)
    q = q * r.diagonal().sign()
    if rows < columns:
        q = q.t()
    return tensor.copy_(q.reshape(tensor.shape)).mul_(gain)


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers of mean 0, of which each column has a share ``sparsity`` set to zero.

    Which ones is drawn from the default generator, as in PyTorch.

    Raises:
        ValueError: not 2 dimensions.
    Source: torch.nn.init.sparse_; Martens, 2010.
    """
    _need_matrix("sparse_", tensor)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[randperm(rows)[:zeros], column] = 0
    return tensor


def _need_matrix(name: str, tensor: Tensor) -> None:
    if tensor.dim() != 2:
        raise errors.value(f"{name} needs a tensor with 2 dimensions", shape=list(tensor.shape))


# --- the names of before PyTorch 0.4 -------------------------------------------------------------


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def under_the_old_name(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"nn.init.{old} is now called nn.init.{new}", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    under_the_old_name.__name__ = old
    under_the_old_name.__doc__ = f"The old name of ``{new}``. Source: torch.nn.init.{old}."
    return under_the_old_name


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
