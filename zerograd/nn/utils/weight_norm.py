"""Weight normalization as a forward pre-hook: weight = g * v / |v|.

The newer form is `torch.nn.utils.parametrizations.weight_norm`.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from zerograd import errors
from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter, is_lazy
from zerograd.tensor.tensor import Tensor

M = TypeVar("M", bound=Module)


def norm_except_dim(v: Tensor, pow: float = 2, dim: int = 0) -> Tensor:
    """The norms of ``v`` over all dimensions but ``dim``, which all stay; over all of them if ``dim`` is -1.

    Source: torch.norm_except_dim.
    """
    if dim == -1:
        return v.norm(pow)
    others = [one for one in range(v.dim()) if one != dim % v.dim()]
    return v.norm(pow, others, keepdim=True) if others else v.abs()


def normalized(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``g * v / |v|``, with a norm for each entry of ``dim``. Source: torch._weight_norm."""
    return v * (g / norm_except_dim(v, 2, dim))


class WeightNorm:
    """The hook that computes the weight before each forward."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight from what the module learns instead of it."""
        return normalized(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Put the hook into ``module``.

        Raises:
            RuntimeError: it is there already.
            ValueError: the weight has no shape yet.
        """
        if any(isinstance(hook, WeightNorm) and hook.name == name for hook in module._forward_pre_hooks.values()):
            raise errors.runtime(f"weight_norm is applied to '{name}' already")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        if is_lazy(weight):
            raise errors.value(f"weight_norm needs a shape, which '{name}' gets at the first call of the module")
        del module._parameters[name]
        module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight, 2, hook.dim).data))
        module.register_parameter(f"{name}_v", Parameter(weight.data))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Make the present weight an ordinary parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[f"{self.name}_g"]
        del module._parameters[f"{self.name}_v"]
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Replace the parameter ``name`` by its length ``name_g`` and direction ``name_v``.

    Args:
        dim: a length for each entry of this dimension; one for all if None.
    Source: torch.nn.utils.weight_norm (deprecated).
    """
    warnings.warn(
        "weight_norm has moved: torch.nn.utils.parametrizations.weight_norm is the new one",
        FutureWarning,
        stacklevel=2,
    )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Undo `weight_norm`, keeping the present weight.

    Raises:
        ValueError: it is not applied.
    Source: torch.nn.utils.remove_weight_norm.
    """
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise errors.value(f"weight_norm is not applied to '{name}' of {module._get_name()}")
