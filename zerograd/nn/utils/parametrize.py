"""Parametrizations: a parameter that is computed from what is learnt instead of it, whenever it is read."""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.nn.modules.container import ModuleDict, ModuleList
from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter
from zerograd.tensor.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]


class _Cache:
    """The parametrized tensors that were computed inside `cached`; used while ``depth`` is positive."""

    def __init__(self) -> None:
        self.depth = 0
        self.tensors: dict[tuple[int, str], Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Generator[None, None, None]:
    """Inside, each parametrized tensor is computed once. Source: torch.nn.utils.parametrize.cached."""
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if _cache.depth == 0:
            _cache.tensors.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in the order in which they are applied, and the original tensors.

    Attributes:
        original: what is learnt; ``original0``, ``original1``, ... if ``right_inverse`` returned several
            tensors.
        is_tensor: whether it is one tensor.
        unsafe: shape and dtype may differ from the original's.
    Source: torch.nn.utils.parametrize.ParametrizationList.

    Raises:
        ValueError: no parametrizations, a ``right_inverse`` that returns something else than tensors of the
            dtype, or (unless unsafe) a result of another shape or dtype.
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise errors.value("a ParametrizationList needs at least one parametrization")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                new = _inverted(module, new)
        self.is_tensor = isinstance(new, Tensor)
        if not isinstance(new, Tensor | Sequence):
            raise errors.value(f"right_inverse must return a tensor or several, got a {type(new).__name__}")
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            if new.dtype is not dtype:
                raise errors.value("right_inverse must keep the dtype", original=dtype, got=new.dtype)
            if new is not original:
                original.data = new.data  # the same tensor, which an optimizer may hold
            _register(self, "original", original)
        else:
            for i, one in enumerate(new):
                if not isinstance(one, Tensor):
                    raise errors.value(f"right_inverse must return tensors, but element {i} is a {type(one).__name__}")
                learnt = Parameter(one, original.requires_grad) if isinstance(original, Parameter) else one
                _register(self, f"original{i}", learnt.requires_grad_(original.requires_grad))
        if not unsafe:
            _check_same("registering a parametrization", self(), shape, dtype)

    def _originals(self) -> Iterator[Tensor]:
        if self.is_tensor:
            yield self.original
        else:
            for i in range(self.ntensors):
                yield getattr(self, f"original{i}")

    def right_inverse(self, value: Tensor) -> None:
        """Set the original tensors so that the parametrized one becomes ``value``.

        Raises:
            RuntimeError: a parametrization has no ``right_inverse``.
            ValueError: it returns something that does not fit.
        """
        new: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise errors.runtime(f"{type(module).__name__} has no right_inverse, so it cannot be assigned to")
                new = module.right_inverse(new)
            originals = list(self._originals())
            values = [new] if self.is_tensor else new
            if not isinstance(values, Sequence) or len(values) != len(originals):
                raise errors.value(f"right_inverse must return {len(originals)} tensors")
            for original, one in zip(originals, values, strict=True):
                if not isinstance(one, Tensor) or one.dtype is not original.dtype:
                    raise errors.value(f"right_inverse must return tensors of dtype {original.dtype}, got {one!r}")
                original.data = one.data

    def forward(self) -> Tensor:
        first, *rest = self
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


def _inverted(module: Module, value: Any) -> Any:
    """What ``module`` would make ``value`` of; ``value`` itself if it does not say."""
    try:
        return module.right_inverse(value) if hasattr(module, "right_inverse") else value
    except NotImplementedError:
        return value


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check_same(what: str, got: Any, shape: Sequence[int], dtype: Any) -> None:
    if not isinstance(got, Tensor):
        raise errors.value(f"{what} must give a tensor, got a {type(got).__name__}")
    if got.dtype is not dtype or got.shape != shape:
        raise errors.value(
            f"{what} must keep shape and dtype",
            before=f"{dtype} {list(shape)}",
            after=f"{got.dtype} {list(got.shape)}",
            hint="unsafe=True allows a change",
        )


def _refuse_pickling(self: Module) -> Any:
    raise errors.runtime(
        "a module with parametrizations cannot be pickled", hint="save its state_dict(), or remove them first"
    )


def _deepcopy(self: Module, memo: dict[int, Any]) -> Module:
    known = memo.get(id(self))
    if known is None:
        known = memo[id(self)] = type(self).__new__(type(self))
        known.__setstate__(copy.deepcopy(Module.__getstate__(self), memo))
    return known


def _prepare(module: Module) -> None:
    """Give ``module`` a class of its own, which can hold properties."""
    kind = type(module)
    members: dict[str, Any] = {"__getstate__": _refuse_pickling}
    if not hasattr(kind, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), members)
    module.parametrizations = ModuleDict()


def _property(name: str) -> property:
    def get(self: Any) -> Tensor:
        parametrizations = self.parametrizations[name]
        if _cache.depth == 0:
            return parametrizations()
        key = (id(self), name)
        if key not in _cache.tensors:
            _cache.tensors[key] = parametrizations()
        return _cache.tensors[key]

    def set_(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, set_)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute ``module.<tensor_name>`` as ``parametrization(original)`` from now on.

    Args:
        parametrization: may have a ``right_inverse``, which finds the original for a given value.
        unsafe: the result may have another shape or dtype.
    Raises:
        ValueError: there is no such parameter or buffer, or the result does not fit.
    Source: torch.nn.utils.parametrize.register_parametrization.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            present = getattr(module, tensor_name)
            result = parametrization(present)
            _check_same("a parametrization", result, present.shape, present.dtype)
            _check_same("right_inverse", _inverted(parametrization, result), present.shape, present.dtype)
        known = module.parametrizations[tensor_name]
        known.append(parametrization)
        known.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        parametrizations = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _prepare(module)
        setattr(type(module), tensor_name, _property(tensor_name))
        module.parametrizations[tensor_name] = parametrizations
    else:
        raise errors.value(f"{module._get_name()} has no parameter or buffer '{tensor_name}' to parametrize")
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether ``module``, or its tensor of this name, has parametrizations.

    Source: torch.nn.utils.parametrize.is_parametrized.
    """
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make ``module.<tensor_name>`` an ordinary tensor again.

    Args:
        leave_parametrized: it keeps its present value; otherwise it becomes the original.
    Raises:
        ValueError: it has no parametrization, or several originals and ``leave_parametrized`` is False.
    Source: torch.nn.utils.parametrize.remove_parametrizations.
    """
    if not is_parametrized(module, tensor_name):
        raise errors.value(f"'{tensor_name}' of {module._get_name()} has no parametrization")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        left = parametrizations.original
        if leave_parametrized:
            with no_grad():
                left.data = getattr(module, tensor_name).data
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        left = Parameter(value) if value.requires_grad else value
    else:
        raise errors.value(f"'{tensor_name}' has several originals, so none of them can be left in its place")
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, left)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class of ``module`` as it was made.

    Source: torch.nn.utils.parametrize.type_before_parametrizations.
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give ``to_module`` the parametrizations, and the originals, of ``from_module``.

    Args:
        tensor_name: of this tensor only.
    Source: torch.nn.utils.parametrize.transfer_parametrizations_and_params.
    """
    if not is_parametrized(from_module):
        return to_module
    for name in list(from_module.parametrizations) if tensor_name is None else [tensor_name]:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        target = to_module.parametrizations[name]
        for original in ["original"] if source.is_tensor else [f"original{i}" for i in range(source.ntensors)]:
            setattr(target, original, getattr(source, original))
    return to_module
