"""The functions of ``torch`` that change their first argument, e.g. ``torch.exp_``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.tensor.base import TensorBase


def _changing(name: str) -> Callable[..., Any]:
    """The method of that name as a function."""

    def function(input: Any, *args: Any, **given: Any) -> Any:
        return getattr(input, name)(*args, **given)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``input.{name}(...)``. Source: torch.{name}."
    return function


(
    abs_, acos_, acosh_, arccos_, arccosh_, arcsin_, arcsinh_, arctan_, arctanh_, asin_, asinh_, atan_,
    atanh_, ceil_, clamp_, clamp_max_, clamp_min_, clip_, conj_physical_, cos_, cosh_, deg2rad_, detach_,
    erf_, erfc_, exp2_, exp_, expm1_, fill_, fix_, floor_, frac_, gcd_, i0_, lcm_, ldexp_, log10_, log1p_,
    log2_, log_, logit_, nan_to_num_, neg_, negative_, rad2deg_, reciprocal_, relu_, round_, rsqrt_,
    sigmoid_, sin_, sinc_, sinh_, sqrt_, square_, tan_, tanh_, trunc_, xlogy_, zero_,
) = map(
    _changing,
    (
        "abs_", "acos_", "acosh_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_",
        "arctanh_", "asin_", "asinh_", "atan_", "atanh_", "ceil_", "clamp_", "clamp_max_",
        "clamp_min_", "clip_", "conj_physical_", "cos_", "cosh_", "deg2rad_", "detach_", "erf_",
        "erfc_", "exp2_", "exp_", "expm1_", "fill_", "fix_", "floor_", "frac_", "gcd_", "i0_", "lcm_",
        "ldexp_", "log10_", "log1p_", "log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_",
        "rad2deg_", "reciprocal_", "relu_", "round_", "rsqrt_", "sigmoid_", "sin_", "sinc_", "sinh_",
        "sqrt_", "square_", "tan_", "tanh_", "trunc_", "xlogy_", "zero_",
    ),
)  # fmt: skip


def apply_(self: TensorBase, callable: Callable[[Any], Any]) -> TensorBase:
    """Replace each element by what a Python function makes of it; slow. Source: torch.Tensor.apply_."""
    return _mapped("apply_", self, (), callable)


def map_(self: TensorBase, tensor: TensorBase, callable: Callable[[Any, Any], Any]) -> TensorBase:
    """Replace each element by ``callable(it, the other tensor's)``; slow. Source: torch.Tensor.map_."""
    return _mapped("map_", self, (tensor,), callable)


def map2_(self: TensorBase, x: TensorBase, y: TensorBase, callable: Callable[[Any, Any, Any], Any]) -> TensorBase:
    """Replace each element by ``callable(it, x's, y's)``; slow. Source: torch.Tensor.map2_."""
    return _mapped("map2_", self, (x, y), callable)


def _mapped(name: str, self: TensorBase, others: tuple[TensorBase, ...], callable: Callable[..., Any]) -> TensorBase:
    for one in (self, *others):
        if one.requires_grad:
            raise errors.runtime(
                f"{name}: a Python function has no gradient, but a tensor needs one",
                tensor=one._type,
                hint="call it on and with tensor.detach()",
            )
        if one.dtype is not self.dtype:
            raise errors.type_(f"{name} needs tensors of one dtype", self=self._type, other=one._type)
    columns = [np.broadcast_to(one._array(), self._shape).reshape(-1).tolist() for one in (self, *others)]
    elements = [callable(*row) for row in zip(*columns, strict=True)]
    array = np.array(elements).astype(self.dtype.numpy).reshape(self._shape)
    return self._assign(TensorBase.of_array(array, self._type)._node())


METHODS = {"apply_": apply_, "map2_": map2_, "map_": map_}
IN_PLACE = ()
