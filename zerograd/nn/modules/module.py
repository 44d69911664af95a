"""Module, the base class of all layers: registration of state, attributes, calls and their text."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from zerograd import errors
from zerograd.nn.modules.conversion import Conversion
from zerograd.nn.modules.hooks import (
    EVERYWHERE,
    HookedCall,
    HookRegistration,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
    registering,
)
from zerograd.nn.modules.locate import locate
from zerograd.nn.modules.registry import Registry
from zerograd.nn.modules.state import StateDict
from zerograd.nn.modules.state import _IncompatibleKeys as _IncompatibleKeys
from zerograd.nn.parameter import Buffer, Parameter
from zerograd.runtime.structure import structure
from zerograd.tensor.tensor import Tensor

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

REGISTRIES = ("_parameters", "_buffers", "_modules")
HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
CALL_HOOKS = ("_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_pre_hooks")


class Module(HookRegistration, Conversion, StateDict):
    """Base class of layers and models: subclasses make their parts in ``__init__``, compute in ``forward``.

    Assigning a `Parameter` or `Module` to an attribute registers it. Registered tensors and submodules are
    found by `parameters`, `state_dict`, `to` and their kin.

    Attributes:
        training: True until `eval` is called; Dropout, BatchNorm and others behave accordingly.
    Source: torch.nn.Module.
    """

    training: bool
    dump_patches: bool = False
    call_super_init: bool = False
    _compiled_call_impl: Callable[..., Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            name = type(self).__name__
            if kwargs:
                raise errors.type_(f"{name}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
            raise errors.type_(f"{name}.__init__() takes 1 positional argument but {len(args) + 1} were given")
        state = self.__dict__
        state["training"] = True
        for name in REGISTRIES:
            state[name] = Registry(self)
        state["_non_persistent_buffers_set"] = set()
        state["_is_full_backward_hook"] = None
        for name in HOOK_TABLES:
            state[name] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ----------------------------------------------------------------------------------------------------
    # calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it. Source: torch.nn.Module.forward."""
        raise NotImplementedError(f'{type(self).__name__} defines no "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooked or EVERYWHERE:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            locate(error, self)
            raise

    _call_impl = __call__

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._compiled_call_impl is not None:
            return self._compiled_call_impl(*args, **kwargs)
        return self._call_uncompiled(*args, **kwargs)

    def _call_uncompiled(self, *args: Any, **kwargs: Any) -> Any:
        hooked = any(self.__dict__[name] for name in CALL_HOOKS)
        self.__dict__["_hooked"] = hooked or self._compiled_call_impl is not None
        if hooked or EVERYWHERE:
            return HookedCall(self, args, kwargs).run()
        return self.forward(*args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the calls of this module, in place, as ``torch.compile`` does. Source: torch.nn.Module.compile."""
        from zerograd.compiler import compile

        self.__dict__["_compiled_call_impl"] = compile(self._call_uncompiled, *args, **kwargs)
        self.__dict__["_hooked"] = True

    # -----------------------------------------------------------------------------------------------
    # registration

    def register_parameter(self, name: str, param: Any) -> None:
        """Add a parameter under ``name``; None reserves the name.

        Raises:
            AttributeError: `Module.__init__` has not been called.
            TypeError: ``name`` is no string, or ``param`` is no `Parameter`.
            KeyError: the name is empty, contains a dot or is taken.
            ValueError: ``param`` is computed from other tensors.
        Source: torch.nn.Module.register_parameter.
        """
        self._check_name("parameter", "_parameters", name)
        if param is not None:
            if not isinstance(param, Parameter):
                raise errors.type_(
                    f"cannot register a {type(param).__name__} as parameter '{name}'",
                    hint="wrap it: torch.nn.Parameter(tensor)" if isinstance(param, Tensor) else None,
                )
            if param.grad_fn is not None:
                raise errors.value(
                    f"parameter '{name}' must be a leaf, but this tensor was computed by {param.grad_fn}",
                    hint="register what it is computed from, and compute it in forward()",
                )
            param = registering("parameter", self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained; None reserves the name.

        Args:
            persistent: whether `state_dict` contains it.
        Raises:
            AttributeError, TypeError, KeyError: as for `register_parameter`.
        Source: torch.nn.Module.register_buffer.
        """
        self._check_name("buffer", "_buffers", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise errors.type_(f"cannot register a {type(tensor).__name__} as buffer '{name}': it must be a tensor")
        self._buffers[name] = registering("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Any) -> None:
        """Add a submodule under ``name``; None reserves the name.

        Raises:
            TypeError: ``module`` is no module or ``name`` no string.
            KeyError: the name is empty, contains a dot or is taken.
        Source: torch.nn.Module.add_module.
        """
        if module is not None and not isinstance(module, Module):
            raise errors.type_(f"a submodule must be a Module, got {_described(module)}")
        self._check_name("module", "_modules", name)
        self._modules[name] = registering("module", self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`. Source: torch.nn.Module.register_module."""
        self.add_module(name, module)

    def _check_name(self, kind: str, table: str, name: object) -> None:
        registered = self.__dict__.get(table)
        if registered is None:
            raise _before_init(kind)
        if not isinstance(name, str):
            raise errors.type_(f"the name of a {kind} must be a string, got {_described(name)}")
        if name == "":
            raise KeyError(f"the name of a {kind} cannot be empty")
        if "." in name:
            raise KeyError(f'the name of a {kind} cannot contain a dot, but got "{name}"')
        if name not in registered and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists, so no {kind} can have its name")

    # -------------------------------------------------------------------------------------------------
    # attributes

    def __getattr__(self, name: str) -> Any:
        # Registered names are ordinary attributes (see Registry), so this is reached for missing ones only,
        # and for modules whose dictionaries were replaced behind our back.
        state = self.__dict__
        for table in REGISTRIES:
            registered = state.get(table)
            if registered is not None and name in registered:
                return registered[name]
        hint = ""
        if "_parameters" not in state:
            hint = "; Module.__init__ has not been called"
        elif isinstance(getattr(type(self), name, None), property):
            hint = f"; the class has a property '{name}', which raised an AttributeError itself"
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{hint}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        if state.get(name, state) is not value and (name in state or id(self) in structure.met):
            structure.changes += 1
        if isinstance(value, Parameter):
            self._release(name, "_parameters", "parameter")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._release(name, "_modules", "module")
            self._modules[name] = registering("module", self, name, value)
        elif name in state.get("_parameters", ()):
            if value is not None:
                raise errors.type_(
                    f"'{name}' is a parameter: cannot assign {_described(value)} to it, only a Parameter",
                    hint=f"to change its value: `{name}.data = tensor`, or `{name}.copy_(...)` in no_grad()"
                    if isinstance(value, Tensor)
                    else None,
                )
            self.register_parameter(name, None)
        elif name in state.get("_modules", ()):
            if value is not None:
                raise errors.type_(
                    f"'{name}' is a submodule: cannot assign {_described(value)} to it, only a Module or None"
                )
            self._modules[name] = registering("module", self, name, None)
        elif isinstance(value, Buffer) or name in state.get("_buffers", ()):
            self._set_buffer(name, value)
        elif name in REGISTRIES:
            self._replace_registry(name, value)
        else:
            object.__setattr__(self, name, value)

    def _release(self, name: str, table: str, kind: str) -> None:
        """Make ``name`` free for an entry of ``table``: whatever else has it is forgotten."""
        state = self.__dict__
        if table not in state:
            raise _before_init(kind)
        if name in state[table]:
            return
        for other in REGISTRIES:
            if name in state[other]:
                del state[other][name]
        state["_non_persistent_buffers_set"].discard(name)
        state.pop(name, None)

    def _set_buffer(self, name: str, value: Any) -> None:
        if "_buffers" not in self.__dict__:
            raise _before_init("buffer")
        if value is not None and not isinstance(value, Tensor):
            raise errors.type_(f"'{name}' is a buffer: cannot assign {_described(value)} to it, only a tensor or None")
        own = name not in self._non_persistent_buffers_set
        persistent = value.persistent if isinstance(value, Buffer) else own
        if name not in self._buffers:
            self.__dict__.pop(name, None)
        register = self.register_buffer
        accepts = type(self).register_buffer is Module.register_buffer
        if accepts or "persistent" in inspect.signature(register).parameters:
            register(name, value, persistent)
        elif persistent:
            register(name, value)
        else:
            raise errors.runtime(
                f"'{name}' is not persistent, but {type(self).__name__}.register_buffer has no such kind"
            )

    def _replace_registry(self, name: str, entries: dict[str, Any]) -> None:
        for old in list(self.__dict__.get(name, ())):
            self.__dict__.pop(old, None)
        self.__dict__[name] = Registry(self, entries)

    def __delattr__(self, name: str) -> None:
        structure.changes += 1
        for table in REGISTRIES:
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[0].isdigit())

    # ---------------------------------------------------------------------------------------------------
    # pickling

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for table in REGISTRIES:
            for name in state.get(table, ()):
                state.pop(name, None)
        state.pop("_compiled_call_impl", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in REGISTRIES:
            self.__dict__[name] = Registry(self, self.__dict__.get(name))
        for name in HOOK_TABLES:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)
        self.__dict__["_hooked"] = any(self.__dict__[name] for name in CALL_HOOKS)

    # -------------------------------------------------------------------------------------------------------
    # mode

    def train(self, mode: Any = True) -> Self:
        """Set ``training`` of this module and all below it.

        Raises:
            ValueError: ``mode`` is no bool.
        Source: torch.nn.Module.train.
        """
        if not isinstance(mode, bool):
            raise errors.value(f"train() needs True or False, got {_described(mode)}")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """``train(False)``. Source: torch.nn.Module.eval."""
        return self.train(False)

    def _replicate_for_data_parallel(self) -> Self:
        replica = type(self).__new__(type(self))
        replica.__setstate__(self.__getstate__())
        replica._parameters = {}
        replica._is_replica = True
        return replica

    # -------------------------------------------------------------------------------------------------------
    # text

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What the text of the module shows between its parentheses. Source: torch.nn.Module.extra_repr."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) <= 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        lines += [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        return "\n  ".join([f"{self._get_name()}(", *lines]) + "\n)"


def indented(text: str, spaces: int = 2) -> str:
    """``text`` with every line but the first moved to the right."""
    return text.replace("\n", "\n" + " " * spaces)


_addindent = indented  # the name under which programs import it


def _described(value: object) -> str:
    return f"a {type(value).__name__}" if value is not None else "None"


def _before_init(kind: str) -> AttributeError:
    return AttributeError(
        errors.message(
            f"cannot assign a {kind} before Module.__init__() call",
            hint="call super().__init__() first in your __init__",
        )
    )
