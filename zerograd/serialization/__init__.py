"""Saving and loading, in PyTorch's file format, without running anything that is in a file.

Source: torch.serialization.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import pickletools
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from zerograd import errors
from zerograd.serialization import archive, legacy
from zerograd.serialization.memory import restore_by
from zerograd.serialization.names import SAFE, name_in_torch
from zerograd.serialization.pickle_reader import Globals

DEFAULT_PROTOCOL = 2
FileLike = str | os.PathLike[str] | IO[bytes]
_added: dict[str, Any] = {}


class SourceChangeWarning(Warning):
    """Not used, since source code is not saved. Source: torch.serialization.SourceChangeWarning."""


# --- saving ----------------------------------------------------------------------------------------


def save(
    obj: object,
    f: FileLike,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Saves an object with its tensors to a file, which PyTorch can load too.

    A path is written as a whole: the file has its new contents or, if anything fails, its old ones.

    Args:
        obj: tensors, containers, numbers, text, modules; what pickle can take apart.
        f: a path, or an object with `write`.
        pickle_protocol: PyTorch expects 2.
        _use_new_zipfile_serialization: False writes the form that PyTorch had before 1.6.
    Raises:
        RuntimeError: the folder does not exist, or tensors see one storage as different dtypes.
        AttributeError: `f` is neither a path nor has `write`.
    Source: torch.save.
    """
    if isinstance(f, str | os.PathLike):
        path = Path(f)
        with _written(path) as file:
            _write(obj, file, path.stem or "archive", pickle_protocol, new=_use_new_zipfile_serialization)
        return
    if not hasattr(f, "write"):
        raise AttributeError(f"torch.save needs a path or a file open for writing, not {type(f).__name__}")
    _write(obj, f, "archive", pickle_protocol, new=_use_new_zipfile_serialization)


def _write(obj: object, file: IO[bytes], name: str, protocol: int, *, new: bool) -> None:
    if new:
        archive.write(obj, file, name, protocol)
    else:
        legacy.write(obj, file, protocol)


@contextlib.contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of the one at `path` when the block ends, if nothing has failed."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise errors.runtime("the folder to save in does not exist", folder=str(path.parent))
    if target.exists() and not target.is_file():  # a device or a pipe
        with target.open("wb") as file:
            yield file
        return
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# --- loading ---------------------------------------------------------------------------------------


def load(
    f: FileLike,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Loads what `save`, or PyTorch's, has written. Nothing in the file is run, whatever it contains.

    Args:
        f: a path, or an object with `read`, `seek` and `tell`.
        map_location: where tensors go: a device, a dictionary of device names, or a function (storage,
            location). Only the CPU is there; a file with tensors of another device needs map_location="cpu".
        weights_only: True (default): tensors, containers, numbers and text. False also builds NumPy arrays,
            modules, and instances of classes of the running program, without calling anything of these
            classes.
        mmap: leave the tensors in the file and read them when they are used.
        pickle_load_args: `encoding`, of the byte strings in pickles of Python 2.
    Raises:
        UnpicklingError: the file is no pickle, or names something that is not loaded.
        RuntimeError: it is damaged, or its tensors belong to a device that is not there.
        EOFError: it is empty.
    Source: torch.load.
    """
    weights_only = _weights_only(weights_only, pickle_module)
    names = Globals(weights_only=weights_only, added=_added)
    restore = restore_by(map_location)
    encoding = pickle_load_args.get("encoding", "utf-8")
    with _opened(f) as file:
        start = file.tell()
        head = file.read(4)
        file.seek(start)
        if head == b"PK\x03\x04":
            return archive.read(archive.Archive(file, _mapped(f) if mmap else None), names, restore, encoding)
        if mmap:
            raise errors.runtime("mmap needs a file in the zip format", hint="save it again, or leave out mmap")
        return legacy.read(file.read(), names, restore, encoding)


def _weights_only(given: bool | None, pickle_module: Any) -> bool:
    # These two are read here and not in settings.py: programs set them just before they load.
    forced, lifted = (
        os.environ.get(name, "0").lower() in ("1", "y", "yes", "true")
        for name in ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    )
    if forced and lifted:
        raise errors.runtime("TORCH_FORCE_WEIGHTS_ONLY_LOAD and TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD are both set")
    if forced:
        result = True
    elif given is None and lifted:
        warnings.warn("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set: loading with weights_only=False", stacklevel=3)
        result = False
    else:
        result = pickle_module is None if given is None else given
    if result and pickle_module is not None:
        raise errors.runtime("weights_only=True and a pickle_module exclude each other")
    return result


@contextlib.contextmanager
def _opened(f: FileLike) -> Iterator[IO[bytes]]:
    if isinstance(f, str | os.PathLike):
        with open(f, "rb") as file:
            yield file
        return
    missing = [name for name in ("read", "seek", "tell") if not hasattr(f, name)]
    if missing:
        raise AttributeError(
            f"torch.load needs a path or a file that can be read and sought, but {type(f).__name__} has no "
            f"{', '.join(missing)}; io.BytesIO(f.read()) makes one"
        )
    yield f


def _mapped(f: FileLike) -> Any:
    if not isinstance(f, str | os.PathLike):
        raise errors.value("mmap needs a path, not an open file")
    return np.memmap(f, np.uint8, mode="c")


# --- what may be loaded ----------------------------------------------------------------------------


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Declares classes and functions safe: files may name them, and loading calls them.

    Args:
        safe_globals: classes or functions, or pairs (object, full name in the file).
    Source: torch.serialization.add_safe_globals.
    """
    _added.update(_named(safe_globals))


def get_safe_globals() -> list[Any]:
    """What has been declared safe.

    Source: torch.serialization.get_safe_globals.
    """
    return [value if _full_name(value) == name else (value, name) for name, value in _added.items()]


def clear_safe_globals() -> None:
    """Takes all declarations back.

    Source: torch.serialization.clear_safe_globals.
    """
    _added.clear()


class safe_globals:  # noqa: N801  PyTorch's own name
    """`with safe_globals([...]):` declares classes and functions safe inside the block.

    Source: torch.serialization.safe_globals.
    """

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        self._before = dict(_added)
        add_safe_globals(self.safe_globals)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _added.clear()
        _added.update(self._before)


def _named(values: list[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for value in values:
        if not isinstance(value, tuple):
            named[_full_name(value)] = value
        elif len(value) != 2:
            raise errors.value("a safe global is a class or function, or a pair (object, name)", given=repr(value))
        elif not isinstance(value[1], str):
            raise errors.type_("the name of a safe global is a text", name=repr(value[1]))
        else:
            named[value[1]] = value[0]
    return named


def _full_name(value: Any) -> str:
    return ".".join(name_in_torch(value) or (value.__module__, value.__qualname__))


def get_unsafe_globals_in_checkpoint(f: FileLike) -> list[str]:
    """The names in a file that `load` with weights_only=True refuses.

    Source: torch.serialization.get_unsafe_globals_in_checkpoint.
    """
    with _opened(f) as file:
        head = file.read(4)
        file.seek(-len(head), os.SEEK_CUR)
        if head != b"PK\x03\x04":
            raise errors.value("the names in a file can be listed for the zip format only")
        data = archive.Archive(file).record("data.pkl")
    found = dict.fromkeys(_names_in(data))
    return [".".join(name) for name in found if name not in SAFE and ".".join(name) not in _added]


def _names_in(data: bytes) -> Iterator[tuple[str, str]]:
    texts: list[str] = []
    for instruction, argument, _ in pickletools.genops(data):
        if instruction.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            yield module.replace("__builtin__", "builtins"), name
        elif instruction.name == "STACK_GLOBAL":
            yield texts[-2], texts[-1]
        elif isinstance(argument, str):
            texts.append(argument)


# --- where storages go -----------------------------------------------------------------------------


def location_tag(storage: Any) -> str:
    """The device of a storage, as files name it.

    Source: torch.serialization.location_tag.
    """
    return "cpu"


def default_restore_location(storage: Any, location: str) -> Any:
    """The storage at that location.

    Raises:
        RuntimeError: there is no such device.
    Source: torch.serialization.default_restore_location.
    """
    return restore_by(location)(storage, location)


MapLocation = Callable[[Any, str], Any]
