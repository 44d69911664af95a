"""Containers: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, KeysView, Mapping
from itertools import chain
from typing import Any, Self

from zerograd import errors
from zerograd.nn.modules.module import Module, indented
from zerograd.nn.parameter import Parameter
from zerograd.tensor.tensor import Tensor


class Container(Module):
    """The container of PyTorch's first versions. Source: torch.nn.Container (deprecated)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        warnings.warn("nn.Container is deprecated: derive from nn.Module instead", FutureWarning, stacklevel=2)
        for name, module in kwargs.items():
            self.add_module(name, module)


class _Numbered(Module):
    """Modules in an order, named by their positions (a Sequential may name them otherwise)."""

    def _key(self, position: Any) -> str:
        names = list(self._modules)
        return names[_checked(position, len(names))]

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, self._key(idx), module)

    def __delitem__(self, idx: int | slice) -> None:
        for name in list(self._modules)[idx] if isinstance(idx, slice) else [self._key(idx)]:
            delattr(self, name)
        self._modules = OrderedDict((str(i), module) for i, module in enumerate(self._modules.values()))

    def __getitem__(self, idx: int | slice) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Add ``module`` at the end."""
        self.add_module(str(len(self)), module)
        return self

    def _insert(self, index: int, module: Module) -> None:
        for i in range(len(self), index, -1):
            self._modules[str(i)] = self._modules[str(i - 1)]
        self._modules[str(index)] = module

    def pop(self, key: int | slice) -> Any:
        """Remove and return the module, or the slice of modules, at ``key``."""
        value = self[key]
        del self[key]
        return value


class Sequential(_Numbered):
    """Modules called one after the other, each with what the one before returned.

    Args:
        args: the modules, or one OrderedDict of them by name.
    Source: torch.nn.Sequential.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        for module in self:
            input = module(input)
        return input

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return type(self)(OrderedDict(list(self._modules.items())[idx]))
        return self._modules[self._key(idx)]

    def __add__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise errors.value(f"only a Sequential can be added to a Sequential, not a {type(other).__name__}")
        return Sequential().extend(chain(self, other))

    def __iadd__(self, other: Any) -> Self:
        if not isinstance(other, Sequential):
            raise errors.value(f"only a Sequential can be added to a Sequential, not a {type(other).__name__}")
        return self.extend(list(other))

    def _checked_factor(self, factor: Any) -> int:
        if not isinstance(factor, int):
            raise errors.type_(f"a Sequential can be repeated an integer number of times, not {factor!r}")
        if factor <= 0:
            raise errors.value(f"a Sequential can be repeated once or more, not {factor} times")
        return factor

    def __mul__(self, other: int) -> Sequential:
        return Sequential().extend(list(self) * self._checked_factor(other))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Self:
        return self.extend(list(self) * (self._checked_factor(other) - 1))

    def insert(self, index: int, module: Any) -> Self:
        """Put ``module`` before position ``index``.

        Raises:
            AssertionError: ``module`` is no module.
            IndexError: there is no such position.
        """
        if not isinstance(module, Module):
            raise AssertionError(f"insert needs a Module, got a {type(module).__name__}")
        count = len(self)
        if not -count <= index <= count:
            raise errors.index(f"position {index} is out of range for a Sequential of {count} modules")
        self._insert(index + count if index < 0 else index, module)
        return self

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add all of ``sequential`` at the end."""
        for module in sequential:
            self.append(module)
        return self


class ModuleList(_Numbered):
    """A list whose modules are registered. Source: torch.nn.ModuleList."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return type(self)(list(self)[idx])
        return self._modules[str(_checked(idx, len(self)))]

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def insert(self, index: int, module: Module) -> None:
        """Put ``module`` before position ``index``."""
        self._insert(index, module)

    def extend(self, modules: Any) -> Self:
        """Add all of ``modules`` at the end.

        Raises:
            TypeError: ``modules`` is not iterable.
        """
        if not isinstance(modules, Iterable):
            raise errors.type_(f"ModuleList needs an iterable of modules, got a {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def __repr__(self) -> str:
        """Neighbours with the same text are shown once: ``(0-2): 3 x Linear(...)``."""
        runs: list[tuple[int, int, str]] = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = (
            f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in runs
        )
        return "\n  ".join([f"{self._get_name()}(", *map(indented, lines)]) + "\n)"


class ModuleDict(Module):
    """A dictionary, in order of insertion, whose modules are registered. Source: torch.nn.ModuleDict."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Remove and return the module called ``key``."""
        value = self[key]
        del self[key]
        return value

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def items(self) -> Any:
        """The (name, module) pairs."""
        return self._modules.items()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Set every (name, module) of ``modules``, a mapping or pairs.

        Raises:
            TypeError, ValueError: it is neither.
        """
        for key, module in _pairs(modules, "ModuleDict"):
            self[key] = module


class ParameterList(Module):
    """A list whose parameters are registered; tensors become parameters, other objects are kept as they are.

    Source: torch.nn.ParameterList.
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return type(self)().extend([self[i] for i in range(*idx.indices(len(self)))])
        return getattr(self, str(_checked(idx, len(self))))

    def __setitem__(self, idx: int, param: Any) -> None:
        setattr(self, str(_checked(idx, len(self))), _as_parameter(param))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __iadd__(self, parameters: Iterable[Any]) -> Self:
        return self.extend(parameters)

    def append(self, value: Any) -> Self:
        """Add ``value`` at the end."""
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Any) -> Self:
        """Add all of ``values`` at the end.

        Raises:
            TypeError: ``values`` is not iterable, or is one tensor.
        """
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise errors.type_(f"ParameterList needs an iterable of parameters, got a {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return "\n".join(_entry_text(i, value, f"{getattr(value, 'dtype', '')}") for i, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise errors.runtime("a ParameterList cannot be called")


class ParameterDict(Module):
    """A dictionary whose parameters are registered; tensors become parameters, the rest is kept as it is.

    Source: torch.nn.ParameterDict.
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, _checked_key(key))

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, _checked_key(key), _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __or__(self, other: ParameterDict) -> ParameterDict:
        merged = self.copy()
        merged.update(other)
        return merged

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        merged = other.copy()
        merged.update(self)
        return merged

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def copy(self) -> ParameterDict:
        """Another dictionary of the same values."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, which becomes ``default`` if it is not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Remove all values."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Remove and return the value of ``key``."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last (key, value)."""
        if not self._keys:
            raise KeyError("popitem() from an empty ParameterDict")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, or ``default`` if it is not there."""
        return self[key] if key in self else default  # noqa: SIM401  this is get

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new dictionary with ``default`` for every key."""
        return ParameterDict((key, default) for key in keys)

    def keys(self) -> KeysView[str]:
        """The keys."""
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The (key, value) pairs."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterable[Any]:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Set every (key, value) of ``parameters``; those of a plain dictionary in sorted order.

        Raises:
            TypeError, ValueError: neither a mapping nor pairs.
        """
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            parameters = sorted(parameters.items())
        for key, value in _pairs(parameters, "ParameterDict"):
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(
            _entry_text(key, value, value.type() if isinstance(value, Tensor) else "") for key, value in self.items()
        )

    def __call__(self, input: Any) -> Any:
        raise errors.runtime("a ParameterDict cannot be called")


def _checked(index: Any, count: int) -> int:
    """``index`` counted from the front."""
    position = operator.index(index)
    if not -count <= position < count:
        raise errors.index(f"index {position} is out of range for {count} entries")
    return position % count


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise errors.type_(f"the keys of a ParameterDict are strings, not {type(key).__name__}")
    return key


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _pairs(source: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The (key, value) pairs of a mapping, or of an iterable of pairs."""
    if not isinstance(source, Iterable):
        raise errors.type_(f"{name} needs a mapping or pairs, got a {type(source).__name__}")
    if isinstance(source, (Mapping, ModuleDict, ParameterDict)):
        yield from source.items()
        return
    for i, pair in enumerate(source):
        if not isinstance(pair, Iterable):
            raise errors.type_(f"{name} needs (key, value) pairs, but element {i} is a {type(pair).__name__}")
        members: list[Any] = list(pair)
        if len(members) != 2:
            raise errors.value(f"{name} needs (key, value) pairs, but element {i} has length {len(members)}")
        yield members[0], members[1]


def _entry_text(key: object, value: object, kind: str) -> str:
    if not isinstance(value, Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    size = "x".join(map(str, value.shape))
    title = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"  ({key}): {title} containing: [{kind} of size {size}]"
