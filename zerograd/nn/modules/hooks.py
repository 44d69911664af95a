"""Hooks on modules: how they are registered, and the call that runs them.

Order in one call: forward pre-hooks (global, then the module's), the forward, forward hooks (global, then
own); in
the backward pass, pre-hooks on the gradients of the outputs, then full backward hooks once those of the
inputs exist.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from zerograd import errors
from zerograd.frozen import Frozen
from zerograd.nn.modules.backward_hooks import BackwardHooks
from zerograd.tensor.gradients import RemovableHandle

if TYPE_CHECKING:
    from zerograd.nn.modules.module import Module

Hook = Callable[..., Any]


class Entry(Frozen):
    """A forward hook or forward pre-hook of one module, or any hook of all modules, and how to call it."""

    __slots__ = ("always_call", "kind", "run", "with_kwargs")

    def __init__(self, run: Hook, with_kwargs: bool = False, always_call: bool = False, kind: str = "") -> None:
        self.run, self.with_kwargs, self.always_call, self.kind = run, with_kwargs, always_call, kind


# The hooks that every module runs. One dictionary, since each call of a module asks whether it is empty.
EVERYWHERE: OrderedDict[int, Entry] = OrderedDict()

REGISTRATION: dict[str, OrderedDict[int, Hook]] = {
    "parameter": OrderedDict(),
    "buffer": OrderedDict(),
    "module": OrderedDict(),
}


def _everywhere(kind: str) -> Iterator[tuple[int, Entry]]:
    return ((key, entry) for key, entry in EVERYWHERE.items() if entry.kind == kind)


def _add(
    table: OrderedDict[int, Any], hook: Any, *also: OrderedDict[int, bool], prepend: bool = False
) -> RemovableHandle:
    """Enter ``hook`` into ``table`` and its id into each of ``also``; the handle removes both."""
    handle = RemovableHandle(table, extra_dict=list(also))
    for one in (table, *also):
        one[handle.id] = hook if one is table else True
        if prepend:
            one.move_to_end(handle.id, last=False)
    return handle


class HookRegistration:
    """The part of `Module` that keeps its hooks."""

    _hooked: bool = False  # False promises that no hook runs at a call
    _is_full_backward_hook: bool | None
    _backward_pre_hooks: OrderedDict[int, Hook]
    _backward_hooks: OrderedDict[int, Hook]
    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, args)`` before each forward; a result other than None replaces ``args``.

        Args:
            hook: with ``with_kwargs`` it is called as ``hook(module, args, kwargs)`` and may return both, as
                a tuple.
            prepend: run it before the hooks that are there.
        Source: torch.nn.Module.register_forward_pre_hook.
        """
        also = (self._forward_pre_hooks_with_kwargs,) if with_kwargs else ()
        self.__dict__["_hooked"] = True
        return _add(self._forward_pre_hooks, hook, *also, prepend=prepend)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Run ``hook(module, args, output)`` after each forward; what it returns replaces the output.

        Args:
            hook: with ``with_kwargs`` it is called as ``hook(module, args, kwargs, output)``.
            prepend: run it before the hooks that are there.
            always_call: run it even if the forward raises.
        Source: torch.nn.Module.register_forward_hook.
        """
        also = [self._forward_hooks_with_kwargs] if with_kwargs else []
        also += [self._forward_hooks_always_called] if always_call else []
        self.__dict__["_hooked"] = True
        return _add(self._forward_hooks, hook, *also, prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_output)`` when the gradients of the module's outputs are known.

        A result other than None replaces them. Source: torch.nn.Module.register_full_backward_pre_hook.
        """
        self.__dict__["_hooked"] = True
        return _add(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Run ``hook(module, grad_input, grad_output)`` when the gradients of the module's inputs are known.

        Both are tuples, with None for arguments that are no tensors. A result other than None replaces
        ``grad_input``. Source: torch.nn.Module.register_full_backward_hook.

        Raises:
            RuntimeError: the module has hooks of the old kind.
        """
        self._settle_backward_kind(full=True)
        self.__dict__["_hooked"] = True
        return _add(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """The old kind of backward hook; it gets the gradients of the module's inputs and outputs too.

        PyTorch gives it those of the module's last operation, whatever its inputs are.
        Source: torch.nn.Module.register_backward_hook (deprecated in favour of register_full_backward_hook).

        Raises:
            RuntimeError: the module has full backward hooks.
        """
        self._settle_backward_kind(full=False)
        self.__dict__["_hooked"] = True
        return _add(self._backward_hooks, hook)

    def _settle_backward_kind(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise errors.runtime(
                "a module cannot have full and old-style backward hooks at the same time",
                hint="register all of them with register_full_backward_hook",
            )
        self._is_full_backward_hook = full

    def _backward_hook_lists(self) -> tuple[list[Hook], list[Hook], list[Hook]]:
        """The pre-hooks, full hooks and old hooks that a backward pass through this module runs."""
        pre, full, old = (
            [entry.run for _, entry in _everywhere(kind)] for kind in ("backward_pre", "backward", "old_backward")
        )
        (full if self._is_full_backward_hook else old).extend(self._backward_hooks.values())
        return [*pre, *self._backward_pre_hooks.values()], full, old

    def _forward_hook_list(self) -> Iterator[tuple[int, Entry]]:
        yield from _everywhere("forward")
        for key, hook in self._forward_hooks.items():
            with_kwargs = key in self._forward_hooks_with_kwargs
            yield key, Entry(hook, with_kwargs, key in self._forward_hooks_always_called)

    def _forward_pre_hook_list(self) -> Iterator[Entry]:
        for _, entry in _everywhere("forward_pre"):
            yield entry
        for key, hook in self._forward_pre_hooks.items():
            yield Entry(hook, key in self._forward_pre_hooks_with_kwargs)


class HookedCall:
    """One call of a module that runs hooks."""

    def __init__(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.done: set[int] = set()

    def run(self) -> Any:
        try:
            self._before()
            pre, full, old = self.module._backward_hook_lists()
            watched = BackwardHooks(self.module, [*full, *old], pre, quiet=not full) if full or old or pre else None
            if watched is not None:
                self.args = watched.on_inputs(self.args)
            self.result = self.module.forward(*self.args, **self.kwargs)
            for key, hook in list(self.module._forward_hook_list()):
                self.done.add(key)
                self._after(hook)
            if watched is not None:
                self.result = watched.on_outputs(self.result)
        except Exception:
            self._after_failure()
            raise
        return self.result

    def _before(self) -> None:
        for hook in list(self.module._forward_pre_hook_list()):
            if hook.with_kwargs:
                changed = hook.run(self.module, self.args, self.kwargs)
                if changed is None:
                    continue
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise errors.runtime(
                        "a forward pre-hook registered with_kwargs must return None or (args, kwargs)",
                        returned=repr(changed),
                    )
                self.args, self.kwargs = changed
            else:
                changed = hook.run(self.module, self.args)
                if changed is not None:
                    self.args = changed if isinstance(changed, tuple) else (changed,)

    def _after(self, hook: Entry) -> None:
        if hook.with_kwargs:
            changed = hook.run(self.module, self.args, self.kwargs, self.result)
        else:
            changed = hook.run(self.module, self.args, self.result)
        if changed is not None:
            self.result = changed

    def _after_failure(self) -> None:
        for key, hook in list(self.module._forward_hook_list()):
            if hook.always_call and key not in self.done:
                try:
                    self._after(hook)
                except Exception as error:
                    warnings.warn(
                        f"while an error was on its way, a forward hook of always_call=True failed too: {error}",
                        stacklevel=4,
                    )


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, args)`` before the forward of every module.

    Source: torch.nn.modules.module.register_module_forward_pre_hook.
    """
    return _add(EVERYWHERE, Entry(hook, kind="forward_pre"))


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run ``hook(module, args, output)`` after the forward of every module.

    Source: torch.nn.modules.module.register_module_forward_hook.
    """
    return _add(EVERYWHERE, Entry(hook, with_kwargs, always_call, kind="forward"))


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, grad_output)`` in the backward pass of every module.

    Source: torch.nn.modules.module.register_module_full_backward_pre_hook.
    """
    return _add(EVERYWHERE, Entry(hook, kind="backward_pre"))


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` in the backward pass of every module.

    Source: torch.nn.modules.module.register_module_full_backward_hook.
    """
    return _add_backward(hook, kind="backward", against="old_backward")


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """The old kind of backward hook, on every module.

    Source: torch.nn.modules.module.register_module_backward_hook.
    """
    return _add_backward(hook, kind="old_backward", against="backward")


def _add_backward(hook: Hook, kind: str, against: str) -> RemovableHandle:
    if any(_everywhere(against)):
        raise errors.runtime("full and old-style global backward hooks cannot be mixed")
    return _add(EVERYWHERE, Entry(hook, kind=kind))


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, name, parameter)`` whenever a parameter is registered; a result replaces it.

    Source: torch.nn.modules.module.register_module_parameter_registration_hook.
    """
    return _add(REGISTRATION["parameter"], hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, name, buffer)`` whenever a buffer is registered; a result replaces it.

    Source: torch.nn.modules.module.register_module_buffer_registration_hook.
    """
    return _add(REGISTRATION["buffer"], hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Run ``hook(module, name, submodule)`` whenever a submodule is registered; a result replaces it.

    Source: torch.nn.modules.module.register_module_module_registration_hook.
    """
    return _add(REGISTRATION["module"], hook)


def registering(kind: str, module: object, name: str, value: Any) -> Any:
    """``value`` as the registration hooks of ``kind`` want it."""
    for hook in REGISTRATION[kind].values():
        changed = hook(module, name, value)
        if changed is not None:
            value = changed
    return value
