"""Walking a module tree: named_parameters, named_modules, get_submodule and their kin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from zerograd import errors
from zerograd.nn.parameter import Parameter

if TYPE_CHECKING:
    from zerograd.nn.modules.module import Module
    from zerograd.tensor.tensor import Tensor


class Traversal:
    """The part of `Module` that finds parameters, buffers and submodules."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def _named_members(
        self,
        get_members_fn: Callable[[Any], Iterable[tuple[str, Any]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        """What ``get_members_fn`` finds in each module of the tree, under its full name."""
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            dotted = f"{path}." if path else ""
            for name, member in get_members_fn(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield dotted + name, member

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Each parameter once, in the order of registration; of this module alone if not ``recurse``.

        Source: torch.nn.Module.parameters.
        """
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(full name, parameter) pairs; a shared parameter comes once unless ``remove_duplicate`` is False.

        Source: torch.nn.Module.named_parameters.
        """
        yield from self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate=remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Each buffer once. Source: torch.nn.Module.buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(full name, buffer) pairs. Source: torch.nn.Module.named_buffers."""
        yield from self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate=remove_duplicate
        )

    def children(self) -> Iterator[Module]:
        """The direct submodules, each once. Source: torch.nn.Module.children."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, direct submodule) pairs, each module once. Source: torch.nn.Module.named_children."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, parents first. Source: torch.nn.Module.modules."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(full name, module) pairs of the tree, this module first under ``prefix``.

        Args:
            memo: modules to leave out; those found are added to it.
        Source: torch.nn.Module.named_modules.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        this: Any = self
        yield prefix, this
        dotted = f"{prefix}." if prefix else ""
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, dotted + name, remove_duplicate)

    def get_submodule(self, target: str) -> Module:
        """The module at the dotted path ``target``; "" is this one.

        Raises:
            AttributeError: a part of the path is missing or is not a module.
        Source: torch.nn.Module.get_submodule.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            found = _member(module, name)
            if not isinstance(found, Traversal):
                raise AttributeError(f"`{name}` in the path '{target}' is no module but a {type(found).__name__}")
            module = found
        return module

    def set_submodule(self, target: str, module: Any, strict: bool = False) -> None:
        """Put ``module`` at the dotted path ``target``, replacing what is there.

        Raises:
            ValueError: the path is empty or ``module`` is not a module.
            AttributeError: its parent is missing, something that is no module stands there, or with
                ``strict`` nothing stands there.
        Source: torch.nn.Module.set_submodule.
        """
        if target == "":
            raise errors.value("set_submodule cannot replace the module itself: the target is empty")
        if not isinstance(module, Traversal):
            raise errors.value(f"set_submodule needs a module to set, but got a {type(module).__name__}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            present = _member(parent, name)
            if not isinstance(present, Traversal):
                raise AttributeError(f"`{name}` is no module but a {type(present).__name__}: it cannot be replaced")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at the dotted path ``target``.

        Raises:
            AttributeError: there is none.
        Source: torch.nn.Module.get_parameter.
        """
        path, _, name = target.rpartition(".")
        found = _member(self.get_submodule(path), name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is no parameter but a {type(found).__name__}")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at the dotted path ``target``.

        Raises:
            AttributeError: there is none.
        Source: torch.nn.Module.get_buffer.
        """
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = _member(module, name)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is no buffer but a {type(found).__name__}")
        return found


def _member(module: Any, name: str) -> Any:
    if not hasattr(module, name):
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
    return getattr(module, name)
