"""Pruning: zeros in a parameter that stay zero while the rest is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from zerograd import errors
from zerograd.nn.modules.module import Module
from zerograd.nn.utils.convert_parameters import parameters_to_vector
from zerograd.nn.utils.pruning import BasePruningMethod, PruningContainer, check_amount, entries_to_prune
from zerograd.tensor.functions.creation import ones_like, zeros_like
from zerograd.tensor.functions.random import rand, rand_like
from zerograd.tensor.tensor import Tensor

M = TypeVar("M", bound=Module)


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the mask. Source: torch.nn.utils.prune.Identity."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _ByAmount(BasePruningMethod):
    """Prunes a number or share of the entries."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = entries_to_prune(self.amount, t.numel())
        mask = default_mask.clone()
        if count:
            mask.view(-1)[self._choose(t, count)] = 0
        return mask

    def _choose(self, t: Tensor, count: int) -> Tensor:
        """The places, in the flattened tensor, of the entries to prune."""
        raise NotImplementedError


class RandomUnstructured(_ByAmount):
    """Prunes entries at random. Source: torch.nn.utils.prune.RandomUnstructured."""

    def _choose(self, t: Tensor, count: int) -> Tensor:
        return rand_like(t).view(-1).topk(count).indices


class L1Unstructured(_ByAmount):
    """Prunes the entries of least absolute value. Source: torch.nn.utils.prune.L1Unstructured."""

    def _choose(self, t: Tensor, count: int) -> Tensor:
        return t.abs().view(-1).topk(count, largest=False).indices


class RandomStructured(BasePruningMethod):
    """Prunes channels at random. Source: torch.nn.utils.prune.RandomStructured."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        check_amount(amount)
        self.amount = amount
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _check_structure(t, self.dim)
        channels = t.shape[self.dim]
        count = entries_to_prune(self.amount, channels)
        if count == 0:
            return default_mask
        drawn = rand(channels)
        kept = drawn > drawn.kthvalue(count).values
        return _channel_mask(t, self.dim, kept) * default_mask.to(t.dtype)


class LnStructured(BasePruningMethod):
    """Prunes the channels of least n-norm. Source: torch.nn.utils.prune.LnStructured."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, n: float | str, dim: int = -1) -> None:
        check_amount(amount)
        self.amount = amount
        self.n = n
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _check_structure(t, self.dim)
        channels = t.shape[self.dim]
        count = entries_to_prune(self.amount, channels)
        if count == 0:
            return default_mask
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        kept = t.norm(self.n, others).topk(channels - count).indices
        return _channel_mask(t, self.dim, kept) * default_mask.to(t.dtype)


class CustomFromMask(BasePruningMethod):
    """Prunes what a given mask says. Source: torch.nn.utils.prune.CustomFromMask."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(f"the mask has shape {list(self.mask.shape)}, the tensor {list(default_mask.shape)}")
        return default_mask * self.mask.to(default_mask.dtype)


def _check_structure(t: Tensor, dim: int) -> None:
    if t.dim() < 2:
        raise errors.value("structured pruning needs a tensor of several dimensions", tensor=list(t.shape))
    if not -t.dim() <= dim < t.dim():
        raise errors.index(f"dim {dim} is out of range for a tensor of {t.dim()} dimensions")


def _channel_mask(t: Tensor, dim: int, kept: Tensor) -> Tensor:
    """Ones in the channels that ``kept``, a mask or indices, selects."""
    mask = zeros_like(t)
    mask[(*(slice(None),) * (dim % t.dim()), kept)] = 1
    return mask


def identity(module: M, name: str) -> M:
    """Make the mask of ``name`` without pruning anything. Source: torch.nn.utils.prune.identity."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: float) -> M:
    """Prune entries of ``name`` at random.

    Args:
        amount: a share in [0, 1], or a number of entries.
    Source: torch.nn.utils.prune.random_unstructured.
    """
    RandomUnstructured.apply(module, name, amount=amount)
    return module


def l1_unstructured(module: M, name: str, amount: float, importance_scores: Tensor | None = None) -> M:
    """Prune the entries of ``name`` of least absolute value (or least score).

    Source: torch.nn.utils.prune.l1_unstructured.
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: float, dim: int) -> M:
    """Prune channels of ``name`` along ``dim`` at random. Source: torch.nn.utils.prune.random_structured."""
    RandomStructured.apply(module, name, amount=amount, dim=dim)
    return module


def ln_structured(
    module: M, name: str, amount: float, n: float | str, dim: int, importance_scores: Tensor | None = None
) -> M:
    """Prune the channels of ``name`` along ``dim`` of least n-norm.

    Source: torch.nn.utils.prune.ln_structured.
    """
    LnStructured.apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Prune what ``mask`` has zeros for. Source: torch.nn.utils.prune.custom_from_mask."""
    CustomFromMask.apply(module, name, mask=mask)
    return module


def global_unstructured(
    parameters: Any,
    pruning_method: type[BasePruningMethod],
    importance_scores: Any = None,
    **kwargs: Any,
) -> None:
    """Prune several tensors together, as if they were one.

    Args:
        parameters: (module, name) pairs.
        importance_scores: the scores of some of them, by pair.
        pruning_method: an unstructured one.
        kwargs: its arguments, such as ``amount``.
    Raises:
        TypeError: ``parameters`` is not iterable, the scores are no dictionary, or the method is not
            unstructured.
    Source: torch.nn.utils.prune.global_unstructured.
    """
    if not isinstance(parameters, Iterable):
        raise errors.type_("global_unstructured needs an iterable of (module, name) pairs")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise errors.type_("importance_scores must be a dictionary from (module, name) to scores")
    places: list[tuple[Module, str]] = list(parameters)
    importance = parameters_to_vector([scores.get((m, name), getattr(m, name)) for m, name in places])
    masks = parameters_to_vector([getattr(m, f"{name}_mask", ones_like(getattr(m, name))) for m, name in places])
    method = pruning_method(**kwargs)
    method._tensor_name = "all"
    if method.PRUNING_TYPE != "unstructured":
        raise errors.type_(f"global_unstructured needs an unstructured method, {pruning_method.__name__} is not")
    mask = PruningContainer(method).compute_mask(importance, masks)
    start = 0
    for module, name in places:
        tensor = getattr(module, name)
        end = start + tensor.numel()
        custom_from_mask(module, name, mask=mask[start:end].view_as(tensor))
        start = end


def remove(module: M, name: str) -> M:
    """Make the pruned tensor ``name`` an ordinary parameter, with its zeros.

    Raises:
        ValueError: it is not pruned.
    Source: torch.nn.utils.prune.remove.
    """
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise errors.value(f"'{name}' of {module._get_name()} is not pruned")


def is_pruned(module: Module) -> bool:
    """Whether any tensor in ``module`` or below is pruned. Source: torch.nn.utils.prune.is_pruned."""
    return any(
        isinstance(hook, BasePruningMethod) for one in module.modules() for hook in one._forward_pre_hooks.values()
    )
