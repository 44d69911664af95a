"""state_dict and load_state_dict: a module's state by name."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.nn.modules.traversal import Traversal
from zerograd.nn.parameter import Parameter, is_lazy
from zerograd.tensor.gradients import RemovableHandle
from zerograd.tensor.tensor import Tensor

EXTRA_STATE = "_extra_state"
# Prefixes that wrappers put before every name, and who does so.
WRAPPERS = {"module.": "DataParallel or DistributedDataParallel", "_orig_mod.": "torch.compile"}


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class _IncompatibleKeys(_Keys):
    """What `load_state_dict` could not match; named as PyTorch prints it."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class StateDict(Traversal):
    """The part of `Module` that saves and loads its state."""

    _version: int = 1
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: OrderedDict[int, Callable[..., Any]]
    _state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]]

    def get_extra_state(self) -> Any:
        """Further state to be saved; a module that overrides this overrides `set_extra_state` too.

        Source: torch.nn.Module.get_extra_state.
        """
        raise errors.runtime(f"{type(self).__name__} has no extra state: it does not override get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned. Source: torch.nn.Module.set_extra_state."""
        raise errors.runtime(f"{type(self).__name__} has no extra state: it does not override set_extra_state")

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata)`` after saving.

        What the root's hook returns replaces the state dict.
        """
        if getattr(hook, "_from_public_api", False):
            raise errors.runtime("this function is registered with register_state_dict_post_hook already")
        return _add(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, state_dict, prefix, local_metadata)`` after saving, to change the dict in place.

        Source: torch.nn.Module.register_state_dict_post_hook.
        """
        setattr(hook, "_from_public_api", True)  # noqa: B010  functions have no such attribute for pyright
        return _add(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, prefix, keep_vars)`` before saving.

        Source: torch.nn.Module.register_state_dict_pre_hook.
        """
        return _add(self._state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        """Like `register_load_state_dict_pre_hook`, but without the module unless ``with_module``."""
        return _add(self._load_state_dict_pre_hooks, LoadPreHook(hook, with_module))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run a hook before loading; it may change the state dict.

        It is called as ``hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected,
        errors)``.

        Source: torch.nn.Module.register_load_state_dict_pre_hook.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Run ``hook(module, incompatible_keys)`` after loading; it may edit the two lists in place.

        Source: torch.nn.Module.register_load_state_dict_post_hook.
        """
        return _add(self._load_state_dict_post_hooks, hook)

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters and persistent buffers of this module alone, without those that are None."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Enter this module's own state, without its children's, into ``destination``."""
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateDict.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self,
        *args: Any,
        destination: Any = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers of the whole tree by full name.

        The tensors are detached but share their storage with the module's: clone them to keep today's values.

        Args:
            destination: a dictionary to add to.
            prefix: put before every name.
            keep_vars: give the parameters themselves instead of detached tensors.
        Source: torch.nn.Module.state_dict.
        """
        if args:
            warnings.warn("state_dict() takes keyword arguments only, in future", FutureWarning, stacklevel=2)
            given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
            destination = destination if destination is not None else given["destination"]
            prefix = prefix or given.get("prefix", "")
            keep_vars = keep_vars or given.get("keep_vars", False)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if result is not None:
                if getattr(hook, "_from_public_api", False):
                    raise errors.runtime("a state_dict post-hook must change the dictionary in place and return None")
                destination = result
        return destination

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own state, without its children's; what goes wrong is added to the lists."""
        lists = strict, missing_keys, unexpected_keys, error_msgs
        for hook in self._load_state_dict_pre_hooks.values():
            first = (self,) if isinstance(hook, LoadPreHook) else ()
            hook(*first, state_dict, prefix, local_metadata, *lists)
        own = dict(self._own_state())
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.extend([key] if strict else [])
                continue
            problem = self._load_one(name, tensor, key, state_dict[key], assign)
            error_msgs.extend([problem] if problem else [])
        extra = prefix + EXTRA_STATE
        wants_extra = type(self).set_extra_state is not StateDict.set_extra_state
        if wants_extra and extra in state_dict:
            self.set_extra_state(state_dict[extra])
        elif strict and wants_extra:
            missing_keys.append(extra)
        if strict:
            known = {extra} if wants_extra else set()
            unexpected_keys.extend(key for key in state_dict if not self._expects(key, prefix, own, known))

    def _expects(self, key: str, prefix: str, own: dict[str, Tensor], known: set[str]) -> bool:
        """Whether ``key`` is a name of this module's state, or of a submodule's."""
        if not key.startswith(prefix) or key in known:
            return True
        first, dot, _ = key[len(prefix) :].partition(".")
        return first in (self._modules if dot else own)

    def _load_one(self, name: str, tensor: Tensor, key: str, value: Any, assign: bool) -> str | None:
        """Load ``value`` into ``tensor``; what went wrong, if anything did."""
        if not isinstance(value, Tensor):
            return f"{key}: needs a tensor, but the state dict holds a {type(value).__name__}"
        if not is_lazy(tensor):
            if tensor.dim() == 0 and tuple(value.shape) == (1,):  # a scalar as PyTorch 0.3 saved it
                value = value[0]
            if value.shape != tensor.shape:
                return (
                    f"size mismatch for {key}: the state dict holds {tuple(value.shape)},"
                    f" the model needs {tuple(tensor.shape)}"
                )
        try:
            with no_grad():
                if not assign:
                    tensor.copy_(value)
                    return None
                if isinstance(tensor, Parameter):
                    if isinstance(value, Parameter):
                        value.requires_grad_(tensor.requires_grad)
                    else:
                        value = Parameter(value, requires_grad=tensor.requires_grad)
                setattr(self, name, value)
        except Exception as error:
            return f"{key}: could not be loaded, {type(error).__name__}: {error}"
        return None

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> _IncompatibleKeys:
        """Copy the tensors of ``state_dict`` into the parameters and buffers of the same names.

        Args:
            state_dict: as `state_dict` gives it.
            strict: the names must be exactly the module's own.
            assign: put the given tensors in the place of the module's instead of copying their values; make
                the optimizer afterwards.
        Returns:
            the names that were missing and those that were not expected.
        Raises:
            TypeError: ``state_dict`` is no mapping.
            RuntimeError: with ``strict`` names are missing or unexpected; in any case, shapes differ or a
                value cannot be copied. Everything that fits has been loaded by then.
        Source: torch.nn.Module.load_state_dict.
        """
        if not isinstance(state_dict, Mapping):
            raise errors.type_(f"load_state_dict needs a dictionary of tensors, got a {type(state_dict).__name__}")
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        copied: Any = OrderedDict(state_dict)  # so that hooks may change it
        if metadata is not None:
            copied._metadata = metadata

        def load(module: Any, state: dict[str, Any], prefix: str = "") -> None:
            local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local_metadata["assign_to_params_buffers"] = assign
            module._load_from_state_dict(state, prefix, local_metadata, True, missing, unexpected, problems)
            for name, child in module._modules.items():
                if child is not None:
                    inner = f"{prefix}{name}."
                    load(child, {key: value for key, value in state.items() if key.startswith(inner)}, inner)
            keys = _IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "a load_state_dict post-hook must return None: it changes missing_keys and"
                        " unexpected_keys in place"
                    )

        load(self, copied)
        lines = [*_key_errors(missing, unexpected, state_dict), *problems] if strict else problems
        if lines:
            listing = "\n  ".join(lines)
            raise RuntimeError(f"the state dict does not fit {type(self).__name__}:\n  {listing}")
        return _IncompatibleKeys(missing, unexpected)


class LoadPreHook:
    """A load_state_dict pre-hook, called with the module, which it may not want."""

    def __init__(self, hook: Callable[..., Any], with_module: bool) -> None:
        self.hook = hook
        self.with_module = with_module

    def __call__(self, module: object, *arguments: Any) -> Any:
        return self.hook(module, *arguments) if self.with_module else self.hook(*arguments)


def _add(table: OrderedDict[int, Callable[..., Any]], hook: Any) -> RemovableHandle:
    handle = RemovableHandle(table)
    table[handle.id] = hook
    return handle


def _key_errors(missing: list[str], unexpected: list[str], state_dict: Iterable[str]) -> Iterator[str]:
    for title, names in (("Missing key(s)", missing), ("Unexpected key(s)", unexpected)):
        if names:
            listing = ", ".join(f'"{name}"' for name in names)
            yield f"{title}: {listing}"
    for prefix, source in WRAPPERS.items():
        bare = {name.removeprefix(prefix) for name in unexpected if name.startswith(prefix)}
        if bare and bare & set(missing):
            yield f'hint   the names start with "{prefix}", which {source} adds: remove it from them'
