"""Spectral normalization as a forward pre-hook: weight / its largest singular value.

The newer form is `torch.nn.utils.parametrizations.spectral_norm`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.nn import functional as F
from zerograd.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter, is_lazy
from zerograd.tensor.tensor import Tensor

M = TypeVar("M", bound=Module)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """``weight`` with ``dim`` as rows and all other dimensions as columns."""
    return weight.movedim(dim, 0).reshape(weight.shape[dim], -1)


def output_dim(module: Module, dim: int | None) -> int:
    """``dim``, or that of the module's outputs."""
    if dim is not None:
        return dim
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


class SpectralNorm:
    """The hook that computes the weight before each forward.

    u and v approximate the singular vectors of the largest singular value; each forward in training improves
    them by ``n_power_iterations`` steps of the power method.
    """

    _version = 1

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise errors.value(f"n_power_iterations must be positive, got {n_power_iterations}")
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        """The weight as a matrix whose rows are the outputs."""
        return as_matrix(weight, self.dim)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight divided by its largest singular value."""
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():  # in place, so that copies of the module that share the buffers follow
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()
        return weight / u.dot(matrix.mv(v))

    def remove(self, module: Module) -> None:
        """Make the present weight an ordinary parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        delattr(module, self.name)
        for part in ("u", "v", "orig"):
            delattr(module, f"{self.name}_{part}")
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))

    @staticmethod
    def apply(module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> SpectralNorm:
        """Put the hook into ``module``.

        Raises:
            RuntimeError: it is there already.
            ValueError: the weight is None or has no shape yet.
        """
        if any(isinstance(hook, SpectralNorm) and hook.name == name for hook in module._forward_pre_hooks.values()):
            raise errors.runtime(f"spectral_norm is applied to '{name}' already")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise errors.value(f"spectral_norm cannot be applied to '{name}', which is None")
        if is_lazy(weight):
            raise errors.value(f"spectral_norm needs a shape, which '{name}' gets at the first call of the module")
        with no_grad():
            rows, columns = hook.reshape_weight_to_matrix(weight).shape
            u = F.normalize(weight.new_empty(rows).normal_(0, 1), dim=0, eps=eps)
            v = F.normalize(weight.new_empty(columns).normal_(0, 1), dim=0, eps=eps)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.data)  # until the first forward, for whoever asks
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(SpectralNormStateDictHook(hook))
        return hook


class SpectralNormStateDictHook:
    """Writes the version of the state into its metadata."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(self, module: Module, state_dict: Any, prefix: str, local_metadata: dict[str, Any]) -> None:
        local_metadata.setdefault("spectral_norm", {})[f"{self.fn.name}.version"] = SpectralNorm._version


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide the parameter ``name`` by its largest singular value before each forward.

    Args:
        n_power_iterations: steps of the power method in each forward in training.
        eps: the least norm to divide by.
        dim: the dimension of the outputs; 0, or 1 for transposed convolutions, if None.
    Source: torch.nn.utils.spectral_norm.
    """
    SpectralNorm.apply(module, name, n_power_iterations, output_dim(module, dim), eps)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo `spectral_norm`, keeping the present weight.

    Raises:
        ValueError: it is not applied.
    Source: torch.nn.utils.remove_spectral_norm.
    """
    found = [key for key, hook in module._forward_pre_hooks.items() if _is_for(hook, name)]
    if not found:
        raise errors.value(f"spectral_norm is not applied to '{name}' of {module._get_name()}")
    hook: Any = module._forward_pre_hooks[found[0]]
    hook.remove(module)
    del module._forward_pre_hooks[found[0]]
    for key, hook in list(module._state_dict_hooks.items()):
        if isinstance(hook, SpectralNormStateDictHook) and hook.fn.name == name:
            del module._state_dict_hooks[key]
    return module


def _is_for(hook: object, name: str) -> bool:
    return isinstance(hook, SpectralNorm) and hook.name == name
