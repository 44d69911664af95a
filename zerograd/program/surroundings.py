"""The Python variables that a function can see: a replay is right only while they are what they were.

Looked at are the function's closure and the globals that its code names, the same of the functions found there, the
attributes of objects and the items of lists and dictionaries, a few levels deep. Tensors are watched as objects: their
data is bound anew in every replay. Modules tell by themselves when they change (``runtime/structure.py``).
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable, Iterator
from operator import is_, itemgetter
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from zerograd.ir.graph import Op
from zerograd.nn.modules.module import Module
from zerograd.optim.lr_scheduler.scheduler import LRScheduler
from zerograd.optim.optimizer import Optimizer
from zerograd.program.watch import same_value
from zerograd.runtime.stillness import Stillness
from zerograd.runtime.structure import structure
from zerograd.tensor.base import TensorBase

DEEPEST = 4  # levels of objects and containers
MOST_SPACES = 400  # namespaces that are watched
MOST_ITEMS = 64  # of a container that is watched item by item
SIMPLE = (int, float, complex, bool, str, bytes, type(None))
_own_package = __name__.partition(".")[0]


class Space:
    """Named values: of a dictionary, of the cells of a closure, or the items of a list.

    Attributes:
        title: what messages put before a name.
        names, values: as they were.
        look: gives the values of a dictionary, quickly.
    """

    __slots__ = ("holder", "look", "names", "title", "values")

    def __init__(self, title: str, holder: Any, names: tuple[Any, ...] | None = None) -> None:
        self.title = title
        self.holder = holder
        self.names = names
        self.values = self.now()
        self.look: Callable[[Any], Any] | None = None
        if names is not None and len(names) > 1 and isinstance(holder, dict):
            self.look = itemgetter(*names)

    def now(self) -> list[Any]:
        """The values as they are."""
        holder = self.holder
        if self.names is None:
            return list(holder.values() if isinstance(holder, dict) else holder)
        if isinstance(holder, tuple):
            return [_content(cell) for cell in holder]
        return [holder.get(name, _MISSING) for name in self.names]

    def is_same(self) -> bool:
        if self.look is not None:
            try:
                return all(map(is_, self.look(self.holder), self.values)) or self._is_equal()
            except KeyError:
                return False
        return self._is_equal()

    def _is_equal(self) -> bool:
        now = self.now()
        return len(now) == len(self.values) and (
            all(map(is_, now, self.values)) or all(map(same_value, now, self.values))
        )

    def changed(self) -> str:
        """The name of one that is not the same."""
        now = self.now()
        if len(now) != len(self.values):
            return f"{self.title or 'a list'} (its length)"
        names = self.names or tuple(self.holder)
        for name, before, after in zip(names, self.values, now, strict=True):
            if not same_value(before, after):
                return f"{self.title}{name}" if isinstance(self.holder, dict | tuple) else f"an item of {self.title}"
        return self.title


_MISSING = object()
_MAKERS = ("__init__", "__new__", "__post_init__", "__repr__")  # methods that a step does not call
_REFLECTION = ("__dict__", "vars", "getattr", "setattr", "__getattribute__")  # names that code may not spell out


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


class Surroundings:
    """What a function can see, as it is now.

    Attributes:
        spaces: the variables.
        structure: how often modules, hooks and leaves had changed.
        reads_on: the name of an iterator that the function uses, or ``None``: nobody can tell what it gives next.
    """

    def __init__(self, function: Callable[..., Any], objects: list[Any]) -> None:
        self.spaces: list[Space] = []
        self.structure = structure.changes
        self.reads_on: str | None = None
        self.streams: list[tuple[Any, Any]] = []
        self._met: set[int] = set()
        self._objects: list[tuple[str, dict[str, Any], int]] = []
        self._used: set[str] = set()
        self._walk(function, "", 0)
        for one in objects:
            self._walk(one, type(one).__name__, 0)
        self._watch_attributes()
        self._position = _positions()
        self._others = [space for space in self.spaces if space.holder.__class__ is not dict]
        self._still = Stillness([space.holder for space in self.spaces if space.holder.__class__ is dict])

    def are_same(self) -> bool:
        """Whether a body would see what it saw."""
        if self.structure != structure.changes:
            return False
        still = self._still.holds()
        for space in self._others if still else self.spaces:
            if not space.is_same():
                return False
        if not still:
            self._still.looked()
        return True

    def changed(self) -> str | None:
        """What is not as it was, in words."""
        if self._position != _positions() or any(state != _state(one) for one, state in self.streams):
            return "it draws random numbers from Python's or NumPy's generators"
        for space in self.spaces:
            if not space.is_same():
                return f"it changes the variable {space.changed()}"
        return None

    # --- looking around ------------------------------------------------------------------------------

    def _walk(self, value: Any, title: str, depth: int) -> None:
        if value is None or isinstance(value, SIMPLE) or id(value) in self._met or len(self.spaces) > MOST_SPACES:
            return
        self._met.add(id(value))
        for kind, look in _LOOKS:
            if isinstance(value, kind):
                look(self, value, title, depth)
                return
        if hasattr(type(value), "__next__"):
            self.reads_on = self.reads_on or title or type(value).__name__
        elif _state(value) is not None:
            self.streams.append((value, _state(value)))
        elif depth < DEEPEST and not _is_library(type(value).__module__):
            self._walk_object(value, title, depth)

    def _walk_object(self, value: Any, title: str, depth: int) -> None:
        attributes = getattr(value, "__dict__", None)
        self._walk_class(type(value), depth)
        if attributes is not None:
            self._objects.append((f"{title or 'self'}.", attributes, depth + 1))

    def _watch_attributes(self) -> None:
        """Watch the attributes of the objects that were met, as far as any code that was met names them."""
        while self._objects:
            known = len(self._used)
            objects, self._objects = self._objects, []
            for title, attributes, depth in objects:
                everything = not self._used.isdisjoint(_REFLECTION)
                names = tuple(name for name in attributes if everything or name in self._used)
                if names:
                    self._add(Space(title, attributes, names), depth)
            if len(self._used) > known:  # code has been met that names more
                self._objects += objects

    def _walk_class(self, kind: type, depth: int) -> None:
        for one in kind.__mro__:
            if not _is_library(one.__module__) and id(one) not in self._met:
                self._met.add(id(one))
                plain = tuple(name for name, x in vars(one).items() if isinstance(x, SIMPLE) and name[:2] != "__")
                if plain:
                    self._add(Space(f"{one.__name__}.", vars(one), plain), depth)
                for name, member in list(vars(one).items()):
                    if name not in _MAKERS and isinstance(member, FunctionType | property | staticmethod | classmethod):
                        self._walk(getattr(member, "fget", None) or getattr(member, "__func__", member), "", depth)

    def _walk_function(self, function: FunctionType, title: str, depth: int) -> None:
        if _is_library(function.__module__):
            return
        code = function.__code__
        self._used.update(_names(code))
        if function.__closure__:
            self._add(Space("", function.__closure__, code.co_freevars), depth)
        for values in (function.__defaults__ or (), tuple((function.__kwdefaults__ or {}).values())):
            for value in values:
                self._walk(value, "a default", depth)
        known = function.__globals__
        names = dict.fromkeys(name for name in _names(code) if name in known)
        if names:
            self._add(Space("", known, tuple(names)), depth)
        for value in [known[name] for name in names]:
            if isinstance(value, ModuleType) and not _is_library(value.__name__):
                used = [name for name in _names(code) if name in vars(value)]
                self._add(Space(f"{value.__name__}.", vars(value), tuple(dict.fromkeys(used))), depth)

    def _walk_method(self, method: MethodType, title: str, depth: int) -> None:
        self._walk(method.__func__, title, depth)
        self._walk(method.__self__, "self", depth)

    def _walk_partial(self, made: functools.partial[Any], title: str, depth: int) -> None:
        for one in (made.func, *made.args, *made.keywords.values()):
            self._walk(one, title, depth)

    def _walk_module(self, module: Module, title: str, depth: int) -> None:
        for one in module.modules():
            structure.meet(one)
            self._walk_class(type(one), depth)
            for name, value in list(vars(one).items()):
                if not name.startswith("_") and not isinstance(value, (*SIMPLE, TensorBase, Module)):
                    self._walk(value, f"{type(one).__name__}.{name}", depth + 1)

    def _walk_items(self, items: Any, title: str, depth: int) -> None:
        if depth >= DEEPEST:
            return
        if len(items) > MOST_ITEMS:
            items = list(items.values() if isinstance(items, dict) else items)[:MOST_ITEMS]
        elif not isinstance(items, tuple):
            self.spaces.append(Space(f"{title}.", items, tuple(items) if isinstance(items, dict) else None))
        for value in list(items.values() if isinstance(items, dict) else items):
            self._walk(value, title, depth + 1)

    def _ignore(self, value: Any, title: str, depth: int) -> None:
        """What tells by itself when it changes, or has nothing to be seen."""

    def _add(self, space: Space, depth: int) -> None:
        self.spaces.append(space)
        names = space.names or ()
        for name, value in zip(names, space.values, strict=True):
            self._walk(value, f"{space.title}{name}", depth)


_LOOKS: tuple[tuple[Any, Callable[..., None]], ...] = (
    (TensorBase | Optimizer | LRScheduler | Op | CodeType | ModuleType, Surroundings._ignore),
    (Module, Surroundings._walk_module),
    (FunctionType, Surroundings._walk_function),
    (MethodType, Surroundings._walk_method),
    (functools.partial, Surroundings._walk_partial),
    (type, lambda self, kind, title, depth: self._walk_class(kind, depth)),
    ((list, tuple, dict), Surroundings._walk_items),
)


def _names(code: CodeType) -> Iterator[str]:
    """The names of globals and attributes that code uses, with the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_library(module: str | None) -> bool:
    """Whether a module is zerograd's, Python's own, or an extension of Python: nothing there changes."""
    root = (module or "").partition(".")[0]
    return root == _own_package or root in sys.stdlib_module_names - {"__main__"} or root in ("numpy", "builtins")


def _positions() -> Any:
    """Where the random streams are that Python and NumPy share between all who use them."""
    numpy_random: Any = sys.modules.get("numpy.random")
    shared = None
    if numpy_random is not None:
        kind, key, *rest = numpy_random.get_state()
        shared = kind, key.tobytes(), *rest
    return random.getstate(), shared


def _state(stream: Any) -> Any:
    """The state of a random stream of Python's or NumPy's; ``None`` for anything else."""
    if isinstance(stream, random.Random):
        return stream.getstate()
    bits = getattr(stream, "bit_generator", None)
    return str(bits.state) if bits is not None and type(stream).__module__.startswith("numpy.random") else None
