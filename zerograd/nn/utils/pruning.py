"""The machinery of pruning: methods that compute masks, and how they are put into modules."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from zerograd import errors
from zerograd.nn.modules.module import Module
from zerograd.tensor.functions.creation import ones_like
from zerograd.tensor.tensor import Tensor


class BasePruningMethod(ABC):
    """Computes the mask of one tensor; as a forward pre-hook it sets ``module.<name> = mask * <name>_orig``.

    Subclasses say in ``PRUNING_TYPE`` what they see of a tensor that is pruned already: unstructured (what is
    left of it), structured (the channels that are left, along their ``dim``) or global (all).
    Source: torch.nn.utils.prune.BasePruningMethod.
    """

    __module__ = "zerograd.nn.utils.prune"  # where PyTorch has it, and so pickles
    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for the importances ``t``, given the mask so far."""

    def apply_mask(self, module: Module) -> Tensor:
        """The original tensor times its mask."""
        mask = getattr(module, f"{self._tensor_name}_mask")
        original = getattr(module, f"{self._tensor_name}_orig")
        return mask.to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune the tensor ``name`` of ``module``, after what has been pruned of it before.

        Args:
            importance_scores: what the mask is computed from; the tensor itself if None.
        Raises:
            AssertionError: scores of another shape.
        """
        original = getattr(module, name)
        scores = _scores(importance_scores, original)
        method = cls(*args, **kwargs)
        method._tensor_name = name
        hooks = module._forward_pre_hooks
        earlier = [key for key, hook in hooks.items() if _prunes(hook, name)]
        if not earlier:
            mask = method.compute_mask(scores, default_mask=ones_like(original))
            module.register_parameter(f"{name}_orig", original)
            del module._parameters[name]
        else:
            method = _combined(hooks[earlier[0]], method)
            mask = method.compute_mask(scores, getattr(module, f"{name}_mask").detach().clone())
            del hooks[earlier[0]]
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """``t`` with zeros where the mask for it (or for ``importance_scores``) is zero."""
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(_scores(importance_scores, t), default_mask=mask)

    def remove(self, module: Module) -> None:
        """Make the pruned tensor an ordinary parameter."""
        name = self._tensor_name
        pruned = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = getattr(module, f"{name}_orig")
        original.data = pruned.data
        del module._parameters[f"{name}_orig"]
        del module._buffers[f"{name}_mask"]
        setattr(module, name, original)


def _scores(given: Tensor | None, tensor: Tensor) -> Tensor:
    if given is None:
        return tensor
    if given.shape != tensor.shape:
        raise AssertionError(f"importance_scores need the tensor's shape {list(tensor.shape)}, got {list(given.shape)}")
    return given


def _prunes(hook: object, name: str) -> bool:
    return isinstance(hook, BasePruningMethod) and hook._tensor_name == name


def _combined(earlier: Any, method: BasePruningMethod) -> PruningContainer:
    container = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
    container.add_pruning_method(method)
    return container


class PruningContainer(BasePruningMethod):
    """Several pruning methods of one tensor, one after the other.

    Source: torch.nn.utils.prune.PruningContainer.
    """

    __module__ = BasePruningMethod.__module__

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add one that comes after those that are there.

        Raises:
            TypeError: it is no pruning method.
            ValueError: it prunes another tensor.
        """
        if not isinstance(method, BasePruningMethod):
            raise errors.type_(f"a {type(method).__name__} is no BasePruningMethod")
        if self._tensor_name != method._tensor_name:
            raise errors.value(
                f"these methods prune '{self._tensor_name}', so none for '{method._tensor_name}' can be added"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of the last method, of what the earlier ones have left."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(t.dtype).clone()
        left = self._left(method, t, default_mask)
        mask[left] = method.compute_mask(t[left], default_mask=default_mask[left]).to(mask.dtype)
        return mask

    def _left(self, method: Any, t: Tensor, mask: Tensor) -> Any:
        """The index of the part of ``t`` that ``method`` may prune."""
        everything = (slice(None),) * t.dim()
        if method.PRUNING_TYPE == "unstructured":
            return mask == 1
        if method.PRUNING_TYPE == "global":
            return everything
        if method.PRUNING_TYPE != "structured":
            raise errors.value(f"unknown PRUNING_TYPE {method.PRUNING_TYPE!r}")
        if not hasattr(method, "dim"):
            raise AttributeError("a structured pruning method needs the attribute `dim`")
        dim = method.dim + t.dim() if method.dim < 0 else method.dim
        if dim < 0:
            raise errors.index(f"dim {method.dim} is out of range for {t.dim()} dimensions")
        kept = mask.sum(dim=[d for d in range(t.dim()) if d != dim]) != 0
        return (*everything[:dim], kept, *everything[dim + 1 :])


def check_amount(amount: Any) -> None:
    """Raise if ``amount`` is neither a share in [0, 1] nor a number of entries."""
    if not isinstance(amount, numbers.Real):
        raise errors.type_(f"the amount to prune is a number, not {amount!r}")
    share = not isinstance(amount, numbers.Integral)
    if float(amount) < 0 or (share and float(amount) > 1.0):
        raise errors.value(f"the amount to prune is a share in [0, 1] or a number of entries, got {amount}")


def entries_to_prune(amount: Any, size: int) -> int:
    """How many of ``size`` entries ``amount`` means.

    Raises:
        ValueError: more than there are.
    """
    count = int(amount) if isinstance(amount, numbers.Integral) else round(amount * size)
    if count > size:
        raise errors.value(f"cannot prune {count} of {size} entries")
    return count
