"""Modules that learn their input sizes from their first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zerograd import errors
from zerograd.nn.parameter import is_lazy

if TYPE_CHECKING:  # it is mixed into modules
    from zerograd.nn.modules.module import Module as _Base
else:
    _Base = object


class LazyModuleMixin(_Base):
    """Makes a module lazy: its parameters get their shapes, and it its final class, at the first call.

    A lazy class sets uninitialised parameters in ``__init__``, names the class it turns into in
    ``cls_to_become`` and gives the parameters their shapes in ``initialize_parameters``, which gets the first
    call's arguments.
    Source: torch.nn.modules.lazy.LazyModuleMixin.
    """

    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if is_lazy(tensor) or keep_vars else tensor.detach()

    def _lazy_load_hook(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Give uninitialised tensors the shapes of those that are about to be loaded into them."""
        for name, tensor in self._own_state():
            loaded = state_dict.get(prefix + name)
            if loaded is not None and is_lazy(tensor) and not is_lazy(loaded):
                tensor.materialize(loaded.shape)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes, from the first call's arguments."""
        raise NotImplementedError(f"{type(self).__name__} must define initialize_parameters")

    def has_uninitialized_params(self) -> bool:
        """Whether any parameter or buffer has no shape yet."""
        return any(is_lazy(tensor) for tensor in (*self._parameters.values(), *self._buffers.values()))

    def _infer_parameters(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> None:
        """The pre-hook of the first call."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise errors.runtime(f"{type(module).__name__}.initialize_parameters left parameters without a shape")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self) -> Any:
        raise errors.runtime(
            "a module with uninitialised parameters cannot be replicated",
            hint="call it once with an example input",
        )
