"""Names that load their module when they are first used: how zerograd delays imports, all of it.

A program pays for ``import zerograd`` before it does anything, and uses a small part of the names. So a package
imports what nearly every program needs, and says of the rest where it is, twice: in imports that only readers and
type checkers see, and in a table (tests hold the two equal)::

    if TYPE_CHECKING:
        from zerograd.autograd import functional
        from zerograd.autograd.variable import Variable
    __getattr__, __dir__ = lazily.names(__name__, {"variable": "Variable"}, modules="functional")

Python calls a module's ``__getattr__`` for names that it lacks (PEP 562), so ``zerograd.autograd.Variable`` and
``from zerograd.autograd import Variable`` load the file, and the name then stands in the package as if it had been
imported. A package states ``__all__``, for ``import *``. A function called as its module, such as ``gradcheck``,
cannot wait: importing the module would put that into the function's place.

A class can have methods that load in the same way: see :class:`Method`. A table of functions can have such that load
when they are called: see :func:`function`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

tables: Final[dict[str, dict[str, tuple[str, str]]]] = {}
"""For each package, where its delayed names are: the module, and the name there ("" for the module itself)."""


def names(
    package: str, homes: Mapping[str, str], modules: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that loads some of its names when they are first used.

    Args:
        package: its ``__name__``.
        homes: for each module, by its name within the package, the names to be found there, between spaces;
            ``qr=old_qr`` for what is called ``old_qr`` there and ``qr`` in the package.
        modules: further modules of the package, between spaces; those and ``homes`` are delayed names themselves.
    """
    table = {module: (module, "") for module in (*modules.split(), *homes) if "." not in module}
    for module, listed in homes.items():
        for entry in listed.split():
            name, _, original = entry.partition("=")
            table[name] = module, original or name
    tables[package] = table

    def load(name: str) -> Any:
        home = sys.modules[package]
        if name not in table:
            title = package.replace("zerograd", "torch", 1)
            raise AttributeError(
                f"zerograd has no {title}.{name}; if PyTorch 2.13 has it, zerograd does not support it yet",
                name=name,
                obj=home,
            )
        module, original = table[name]
        found = import_module(f"{package}.{module}")
        if original:
            found = getattr(found, original)
            setattr(home, name, found)  # from here on it is found without coming here
        return found

    return load, lambda: sorted({*vars(sys.modules[package]), *table})


def function(module: str, name: str) -> Callable[..., Any]:
    """The function ``name`` of a module that is loaded at the first call."""

    @cache
    def load() -> Callable[..., Any]:
        return getattr(import_module(module), name)

    return lambda *args, **kwargs: load()(*args, **kwargs)


class Method:
    """Stands in a class for a method or property until it is first used; then ``load`` puts the real one there."""

    __slots__ = ("home", "load", "name")

    def __init__(self, home: type, name: str, load: Callable[[], None]) -> None:
        self.home, self.name, self.load = home, name, load

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        self.load()
        return vars(self.home)[self.name].__get__(instance, owner)
