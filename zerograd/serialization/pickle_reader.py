"""Reads pickles without running anything that is in them.

The pickle machine of Python calls whatever a file names. This one knows the same instructions, but what they
may name, call and build stands in `names.py`, plus what the program itself has declared safe. Everything else
raises `pickle.UnpicklingError`.
"""

from __future__ import annotations

import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from enum import Enum
from pickle import UnpicklingError
from types import FunctionType, MemberDescriptorType
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.nn.parameter import Parameter
from zerograd.runtime.devices import device
from zerograd.serialization.names import (
    ALSO_SAFE,
    CALLED,
    SAFE,
    Name,
    known_class,
    known_function,
    new_instance,
)
from zerograd.tensor.size import Size
from zerograd.tensor.tensor import Tensor

_KEYS = (str, bytes, int, float, complex, bool, type(None), range, Size, dtypes.dtype, device, FunctionType)
_MARK = object()
_CALLED = {id(value): call for value, call in CALLED.items()}


class Globals:
    """What names in a file stand for.

    Args:
        weights_only: only what state dictionaries contain; otherwise also NumPy arrays, modules and
            instances of the program's own classes.
        added: what the program has declared safe, by full name.
    """

    def __init__(self, *, weights_only: bool, added: Mapping[str, Any]) -> None:
        self._weights_only = weights_only
        self._added = added
        self._approved = list(added.values())
        self._classes: dict[int, type[Any]] = {}

    def find(self, module: str, name: str) -> Any:
        """What a name stands for.

        Raises:
            UnpicklingError: nothing that may be loaded.
        """
        # As Python 2 called it, and as protocols up to 2 still do.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        found = SAFE.get((module, name))
        if found is None:
            found = self._added.get(f"{module}.{name}")
        if found is None and not self._weights_only:
            found = ALSO_SAFE.get((module, name))
            if found is None:
                found = known_class(module, name)
                if found is not None:
                    self._classes[id(found)] = found
                else:
                    found = known_function(module, name)
        if found is None:
            raise refused((module, name), weights_only=self._weights_only)
        return found

    def approved(self, value: Any) -> bool:
        """Whether the program has declared this class or function safe."""
        return any(value is one for one in self._approved)

    def builds(self, kind: Any) -> bool:
        """Whether the file may contain instances of this class, which it has named."""
        return id(kind) in self._classes


def refused(name: Name, *, weights_only: bool) -> UnpicklingError:
    full = ".".join(name).removeprefix("builtins.")
    if weights_only:
        hint = (
            f"if you trust the file and the class: torch.serialization.add_safe_globals([{full}]), or "
            f"`with torch.serialization.safe_globals([{full}]):`; weights_only=False allows modules, NumPy "
            "arrays and instances of the program's own classes"
        )
    else:
        hint = (
            "weights_only=False builds modules and instances of classes that the program itself defines and "
            f"has already imported; if you trust it: torch.serialization.add_safe_globals([{full}])"
        )
    return UnpicklingError(
        errors.message(
            f"the file names {full}, which zerograd does not load: a file must not be able to run code",
            hint=hint,
        )
    )


class Reader:
    """One pickle after the other from the same bytes.

    Args:
        data: the bytes.
        names: what names stand for.
        persistent: what persistent ids, which stand for storages, stand for.
        encoding: of the byte strings of Python 2; "bytes" leaves them bytes.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        names: Globals,
        persistent: Callable[[Any], Any] | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self._data = memoryview(data)
        self._names = names
        self.persistent = persistent
        self._encoding = encoding
        self.position = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The next object.

        Raises:
            UnpicklingError: the bytes are no pickle, or one that must not be loaded.
            EOFError: there are no more bytes.
        """
        if self.position >= len(self._data):
            raise EOFError("the file ends where a pickle should begin")
        self._stack, self._memo = [], {}
        try:
            while True:
                code = self._data[self.position]
                self.position += 1
                if code == pickle.STOP[0]:
                    return self._stack.pop()
                run = _INSTRUCTIONS.get(code)
                if run is None:
                    raise UnpicklingError(f"the file is no pickle, or has an instruction that is not loaded: {code:#x}")
                run(self)
        except (
            IndexError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
            struct.error,
        ) as error:
            raise UnpicklingError(
                errors.message("the file cannot be loaded", reason=f"{type(error).__name__}: {error}")
            ) from error

    # --- bytes -----------------------------------------------------------------------------------

    def _take(self, size: int) -> memoryview:
        end = self.position + size
        if size < 0 or end > len(self._data):
            raise UnpicklingError("the file ends in the middle of a pickle")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _line(self) -> str:
        end = self.position
        while self._data[end] != 0x0A:
            end += 1
        line = bytes(self._data[self.position : end])
        self.position = end + 1
        return line.decode("utf-8")

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _old_string(self, data: memoryview) -> Any:
        return bytes(data) if self._encoding == "bytes" else str(data, self._encoding)

    # --- the stack -------------------------------------------------------------------------------

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop_to_mark(self) -> list[Any]:
        stack = self._stack
        place = len(stack) - 1
        while stack[place] is not _MARK:
            place -= 1
        items = stack[place + 1 :]
        del stack[place:]
        return items

    def _pop_many(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise UnpicklingError("the file is no pickle: an instruction lacks its operands")
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    # --- containers ------------------------------------------------------------------------------

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            list.extend(target, items)
        elif isinstance(target, deque):
            deque.extend(target, items)
        else:
            raise UnpicklingError(f"the file appends to a {type(target).__name__}")

    def _add(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, set):
            raise UnpicklingError(f"the file adds to a {type(target).__name__}")
        for item in items:
            self._check_key(item)
        set.update(target, items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise UnpicklingError(f"the file sets items of a {type(target).__name__}")
        write = OrderedDict.__setitem__ if isinstance(target, OrderedDict) else dict.__setitem__
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._check_key(key)
            write(target, key, value)  # pyright: ignore[reportArgumentType]

    def _check_key(self, key: Any) -> None:
        """That finding the place of a key calls nothing that a class defines."""
        kind = type(key)
        if kind in (tuple, frozenset):
            for one in key:
                self._check_key(one)
        elif not (
            kind in _KEYS
            or issubclass(kind, Tensor | type | Enum | np.generic)
            or (kind.__hash__ is object.__hash__ and kind.__eq__ is object.__eq__)
            or self._names.approved(kind)
        ):
            raise UnpicklingError(f"a key of the type {kind.__name__} is not loaded: it would run its __hash__")

    # --- calls -----------------------------------------------------------------------------------

    def _reduce(self) -> None:
        function, args = self._pop_many(2)
        self._push(self._call(function, args))

    def _call(self, function: Any, args: Any) -> Any:
        if not isinstance(args, tuple):
            raise UnpicklingError("the file is no pickle: the arguments of a call are no tuple")
        known = _CALLED.get(id(function))
        if known is not None:
            if any(function is kind for kind in (set, frozenset, Counter, OrderedDict)):
                self._check_contents(args)
            return known(*args)
        if self._names.approved(function):
            return function(*args)
        if self._names.builds(function):
            if issubclass(function, Enum):
                return function._value2member_map_[args[0]]
            return new_instance(function, args)
        raise UnpicklingError(f"the file calls {function!r}, which is not loaded")

    def _check_contents(self, args: tuple[Any, ...]) -> None:
        for arg in args:
            if type(arg) not in (list, tuple, dict, set):
                raise UnpicklingError(f"the file makes a set or dictionary of a {type(arg).__name__}")
            for item in arg:
                pair = type(item) in (list, tuple) and len(item) == 2
                self._check_key(tuple(item) if pair else item)

    def _new_object(self, kind: Any, args: tuple[Any, ...]) -> None:
        if kind is Parameter:
            self._push(Parameter(*args))
        elif self._names.approved(kind):
            self._push(kind.__new__(kind, *args))
        elif self._names.builds(kind):
            self._push(new_instance(kind, args))
        elif any(kind is one for one in (OrderedDict, Counter, defaultdict, set, deque, Size)):
            self._push(self._call(kind, args))
        else:
            raise UnpicklingError(f"the file makes a {kind!r}, which is not loaded")

    def _build(self) -> None:
        """Gives the object on the stack its state."""
        state = self._stack.pop()
        target = self._stack[-1]
        kind = type(target)
        if isinstance(target, np.ndarray | np.dtype):
            _build_numpy(target, state)
        elif kind is OrderedDict:
            target.__dict__.update(state)
        elif self._names.approved(kind) and hasattr(target, "__setstate__"):
            target.__setstate__(state)
        elif self._names.builds(kind):
            _own_setstate(kind)(target, state)
        elif self._names.approved(kind):
            _set_attributes(target, state)
        else:
            raise UnpicklingError(f"the file sets the state of a {kind.__name__}, which is not loaded")

    def _global(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise UnpicklingError("the file is no pickle: a name is no text")
        self._push(self._names.find(module, name))

    def _persistent(self) -> None:
        if self.persistent is None:
            raise UnpicklingError("the file refers to a storage where there is none")
        self._push(self.persistent(self._stack.pop()))

    def _unicode(self, form: str) -> None:
        self._push(str(self._take(self._number(form)), "utf-8", "surrogatepass"))

    def _long(self, form: str) -> None:
        self._push(int.from_bytes(self._take(self._number(form)), "little", signed=True))


def _build_numpy(target: Any, state: Any) -> None:
    if type(target) is not np.ndarray:
        if state[2:5] != (None, None, None):
            raise UnpicklingError("a NumPy dtype with fields is not loaded")
    elif target.shape != (0,) or state[2].hasobject or not isinstance(state[-1], bytes):
        raise UnpicklingError("an array of objects is not loaded; save a list")
    target.__setstate__(state)


def _own_setstate(kind: type[Any]) -> Callable[[Any, Any], None]:
    """The `__setstate__` of the nearest base class that is zerograd's; a program's own is not called."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] == "zerograd" and "__setstate__" in base.__dict__:
            return base.__dict__["__setstate__"]
    return _set_attributes


def _set_attributes(target: Any, state: Any) -> None:
    """Attributes as they are in the file; no method of the class is called."""
    in_slots: dict[str, Any] = {}
    if isinstance(state, tuple) and len(state) == 2:
        state, in_slots = state
    if state:
        target.__dict__.update(state)
    for name, value in (in_slots or {}).items():
        slot = getattr(type(target), name, None)
        if not isinstance(slot, MemberDescriptorType):
            raise UnpicklingError(f"{type(target).__name__} has no attribute {name!r} of its own")
        slot.__set__(target, value)


def _simple(make: Callable[[Reader], Any]) -> Callable[[Reader], None]:
    """An instruction that pushes what `make` returns."""
    return lambda reader: reader._push(make(reader))


def _tuple_of(count: int) -> Callable[[Reader], None]:
    return lambda reader: reader._push(tuple(reader._pop_many(count)))


def _decimal(text: str) -> Any:
    if text in ("00", "01"):
        return text == "01"
    return int(text.rstrip("L"))


def _stack_global(reader: Reader) -> None:
    module, name = reader._pop_many(2)
    reader._global(module, name)


def _new_object(reader: Reader) -> None:
    kind, args = reader._pop_many(2)
    reader._new_object(kind, args)


def _protocol(reader: Reader) -> None:
    protocol = reader._take(1)[0]
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise UnpicklingError(f"pickle protocol {protocol} is not known")


def _quoted(text: str) -> str:
    if len(text) < 2 or text[0] != text[-1] or text[0] not in ("'", '"'):
        raise UnpicklingError("the file is no pickle: a string is not quoted")
    return text[1:-1].encode("latin1").decode("unicode_escape")


# What each instruction does. Left out: INST and OBJ (classes of Python 2), EXT1 to EXT4 (a registry of the
# reading program), NEXT_BUFFER and READONLY_BUFFER (memory outside the file), and NEWOBJ_EX.
_BY_NAME: dict[str, Callable[[Reader], Any]] = {
    "PROTO": _protocol,
    "FRAME": lambda r: r._take(8),
    "MARK": lambda r: r._push(_MARK),
    "POP": lambda r: r._stack.pop(),
    "POP_MARK": lambda r: r._pop_to_mark(),
    "DUP": lambda r: r._push(r._stack[-1]),
    "NONE": lambda r: r._push(None),
    "NEWTRUE": lambda r: r._push(True),
    "NEWFALSE": lambda r: r._push(False),
    "INT": _simple(lambda r: _decimal(r._line())),
    "LONG": _simple(lambda r: _decimal(r._line())),
    "BININT": _simple(lambda r: r._number("<i")),
    "BININT1": _simple(lambda r: r._number("<B")),
    "BININT2": _simple(lambda r: r._number("<H")),
    "LONG1": lambda r: r._long("<B"),
    "LONG4": lambda r: r._long("<i"),
    "FLOAT": _simple(lambda r: float(r._line())),
    "BINFLOAT": _simple(lambda r: r._number(">d")),
    "STRING": _simple(lambda r: _quoted(r._line())),
    "BINSTRING": _simple(lambda r: r._old_string(r._take(r._number("<i")))),
    "SHORT_BINSTRING": _simple(lambda r: r._old_string(r._take(r._number("<B")))),
    "BINBYTES": _simple(lambda r: bytes(r._take(r._number("<I")))),
    "SHORT_BINBYTES": _simple(lambda r: bytes(r._take(r._number("<B")))),
    "BINBYTES8": _simple(lambda r: bytes(r._take(r._number("<Q")))),
    "BYTEARRAY8": _simple(lambda r: bytearray(r._take(r._number("<Q")))),
    "UNICODE": _simple(lambda r: r._line().encode("utf-8").decode("raw-unicode-escape")),
    "BINUNICODE": lambda r: r._unicode("<I"),
    "SHORT_BINUNICODE": lambda r: r._unicode("<B"),
    "BINUNICODE8": lambda r: r._unicode("<Q"),
    "EMPTY_TUPLE": lambda r: r._push(()),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": _simple(lambda r: tuple(r._pop_to_mark())),
    "EMPTY_LIST": lambda r: r._push([]),
    "LIST": _simple(lambda r: r._pop_to_mark()),
    "APPEND": lambda r: r._extend(r._pop_many(1)),
    "APPENDS": lambda r: r._extend(r._pop_to_mark()),
    "EMPTY_SET": lambda r: r._push(set()),
    "ADDITEMS": lambda r: r._add(r._pop_to_mark()),
    "FROZENSET": _simple(lambda r: _frozen(r, r._pop_to_mark())),
    "EMPTY_DICT": lambda r: r._push({}),
    "DICT": lambda r: _dictionary(r, r._pop_to_mark()),
    "SETITEM": lambda r: r._set_items(r._pop_many(2)),
    "SETITEMS": lambda r: r._set_items(r._pop_to_mark()),
    "PUT": lambda r: r._remember(int(r._line())),
    "BINPUT": lambda r: r._remember(r._number("<B")),
    "LONG_BINPUT": lambda r: r._remember(r._number("<I")),
    "MEMOIZE": lambda r: r._remember(len(r._memo)),
    "GET": _simple(lambda r: r._memo[int(r._line())]),
    "BINGET": _simple(lambda r: r._memo[r._number("<B")]),
    "LONG_BINGET": _simple(lambda r: r._memo[r._number("<I")]),
    "GLOBAL": lambda r: r._global(r._line(), r._line()),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda r: r._reduce(),
    "NEWOBJ": _new_object,
    "BUILD": lambda r: r._build(),
    "BINPERSID": lambda r: r._persistent(),
}


def _frozen(reader: Reader, items: list[Any]) -> frozenset[Any]:
    for item in items:
        reader._check_key(item)
    return frozenset(items)


def _dictionary(reader: Reader, items: list[Any]) -> None:
    reader._push({})
    reader._set_items(items)


_INSTRUCTIONS: dict[int, Callable[[Reader], Any]] = {getattr(pickle, name)[0]: run for name, run in _BY_NAME.items()}
