"""Text to machine code: compiled at most once, and kept on the disk.

A kernel that this process knows costs a look-up. One that is on the disk is read, checked and placed in memory, without
LLVM where ``image.py`` understands the machine's code. What remains is compiled, by several threads at once.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import json
import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zerograd.engines.native import codestore, image
from zerograd.engines.native.image import Image
from zerograd.engines.native.target import host, llvm, machine
from zerograd.settings import settings

_FORMAT = 1  # of what is kept: raise it when the same text is to give other code
_lock = threading.RLock()
_addresses: dict[str, int] = {}  # by symbol
_linker: Any = None
_numbers = itertools.count()  # names of LLVM's libraries
Text = str | Callable[[], str]


class Counts:
    """What ``load`` has done so far in this process.

    Attributes:
        known: functions that were in memory.
        found: those that were on the disk.
        compiled: those that were compiled.
        seconds: how long all of it took.
    """

    __slots__ = ("compiled", "found", "known", "seconds")

    def __init__(self) -> None:
        self.known = self.found = self.compiled = 0
        self.seconds = 0.0

    def copy(self) -> Counts:
        """The counts as they are now."""
        made = Counts()
        for name in Counts.__slots__:
            setattr(made, name, getattr(self, name))
        return made


counts = Counts()
Code = Image | bytes  # bytes: an object that LLVM must link


def symbol(kind: str, text: str) -> str:
    """A name that stands for exactly this text."""
    return f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def described(kind: str, description: str) -> str:
    """A name that stands for what this version of the engine makes of a description, before it is made.

    Writing the text of a kernel takes longer than reading its code from the disk. Whoever can say in a few words on
    what a text depends (besides the machine and the engine's own files) names the kernel by that, and gives ``load`` a
    function that writes the text when it is needed.
    """
    return symbol(kind, f"{description}\0{_engine()}")


@functools.cache
def _engine() -> str:
    """Changes when a file of the engine does."""
    return files([os.path.dirname(os.path.abspath(__file__))])


def files(folders: Iterable[str]) -> str:
    """Stands for the Python files in folders: their names, sizes and times."""
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                if name.endswith(".py"):
                    status = os.stat(os.path.join(place, name))
                    found.append((os.path.relpath(place, folder), name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()


def load(texts: Mapping[str, Text], externals: Mapping[str, int] | None = None) -> dict[str, int]:
    """The addresses of functions, compiled unless that was done before. Code stays until the process ends.

    Args:
        texts: by symbol, the LLVM IR that defines it (and declares what it calls), or, where the symbol says it all
            (see ``described``), what gives that text. Equal symbols mean equal texts.
        externals: addresses of functions from elsewhere that the texts call.

    Raises:
        RuntimeError: a text is no LLVM IR, or calls what there is not.
    """
    with _lock:
        start = time.perf_counter()
        missing = {name: text for name, text in texts.items() if name not in _addresses}
        counts.known += len(texts) - len(missing)
        if missing:
            codes = {name: code for name, text in missing.items() if (code := _recall(key(name, text))) is not None}
            made = _compile({name: _written(text) for name, text in missing.items() if name not in codes})
            for name, code in made.items():
                codestore.store.put(key(name, missing[name]), _packed(code))
            _link(codes | made, externals or {})
            counts.found += len(codes)
            counts.compiled += len(made)
        counts.seconds += time.perf_counter() - start
        return addresses(texts)


def addresses(symbols: Iterable[str]) -> dict[str, int]:
    """The addresses of functions that have been loaded."""
    return {name: _addresses[name] for name in symbols}


def recall(kernels: Mapping[str, str]) -> bool:
    """Load functions, which call no others, from the disk; whether all were there (else nothing has been done).

    Args:
        kernels: by symbol, the name of its file (``key``).
    """
    with _lock:
        start = time.perf_counter()
        missing = {name: file for name, file in kernels.items() if name not in _addresses}
        codes: dict[str, Code] = {}
        for name, file in missing.items():
            code = _recall(file)
            if code is None:
                return False
            codes[name] = code
        _link(codes, {})
        counts.known += len(kernels) - len(missing)
        counts.found += len(codes)
        counts.seconds += time.perf_counter() - start
        return True


# --- the disk ---------------------------------------------------------------------------------------------------------


def key(name: str, text: Text) -> str:
    """The name of a kernel's file: what it is made of, for what, and by what."""
    return f"{symbol(name, text) if isinstance(text, str) else name}-{host().mark}-{_FORMAT}"


def _written(text: Text) -> str:
    return text if isinstance(text, str) else text()


def _recall(file: str) -> Code | None:
    piece = codestore.store.get(file)
    return None if piece is None else _unpacked(piece)


def _packed(code: Code) -> bytes:
    head = {"entry": code.entry, "holes": code.holes} if isinstance(code, Image) else {}
    body = code.code if isinstance(code, Image) else code
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + body


def _unpacked(piece: bytes) -> Code:
    (length,) = struct.unpack_from("<I", piece)
    head, body = json.loads(piece[4 : 4 + length]), piece[4 + length :]
    return Image(body, head["entry"], tuple((name, at) for name, at in head["holes"])) if head else body


# --- compiling --------------------------------------------------------------------------------------------------------


def _compile(texts: Mapping[str, str]) -> dict[str, Code]:
    """Compile everything, in several threads if there is more than one text."""
    made: dict[str, Code] = {}
    failures: list[Exception] = []
    left = list(texts.items())

    def work() -> None:
        try:
            while left and not failures:
                name, text = left.pop()
                made[name] = _compile_one(name, text)
        except IndexError:  # another thread was quicker
            pass
        except Exception as failure:  # raised below, by the thread that asked
            failures.append(failure)

    count = min(len(texts), settings.threads) - 1
    if texts:
        llvm()  # before the threads begin
        host()
    workers = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for one in workers:
        one.start()
    work()
    for one in workers:
        one.join()
    if failures:
        raise failures[0]
    return made


def _compile_one(name: str, text: str) -> Code:
    binding, target = llvm(), host()
    module = binding.parse_assembly(f'target triple = "{target.triple}"\n{text}', binding.create_context())
    code = _emit(machine(target), module)
    return image.link(code, name) or code


def _emit(generator: Any, module: Any) -> bytes:
    """``generator.emit_object(module)`` without llvmlite's lock, which is held for the whole of every call.

    LLVM itself lets threads work side by side as long as each has its own context, as here.
    """
    from llvmlite.binding import ffi

    emit = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    emit = getattr(emit, "_cfn", emit)
    with ffi.OutputString() as error:
        memory = emit(generator, module, 1, error)
        if not memory:
            raise RuntimeError(str(error))
    try:
        return ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(memory), ffi.lib.LLVMPY_GetBufferSize(memory))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)


# --- linking ----------------------------------------------------------------------------------------------------------


def _link(codes: Mapping[str, Code], externals: Mapping[str, int]) -> None:
    """Bring code into memory and note the addresses."""

    def find(name: str) -> int:
        if name in externals:
            return externals[name]
        try:
            return image.exported(name)
        except AttributeError:
            raise RuntimeError(f"a kernel calls {name}, which there is not") from None

    images = {name: code for name, code in codes.items() if isinstance(code, Image)}
    if images:
        _addresses.update(zip(images, image.place(list(images.values()), find), strict=True))
    objects = {name: code for name, code in codes.items() if isinstance(code, bytes)}
    if objects:
        _addresses.update(_link_objects(objects, externals))


def _link_objects(objects: Mapping[str, bytes], externals: Mapping[str, int]) -> dict[str, int]:
    """LLVM's linker, for machines whose objects ``image.py`` does not understand."""
    global _linker
    binding = llvm()
    if _linker is None:
        _linker = _kept(binding.create_lljit_compiler(machine(host())))
    builder = binding.JITLibraryBuilder().add_current_process()
    for name, code in objects.items():
        builder.add_object_img(code).export_symbol(name)
    for word, address in externals.items():
        builder.import_symbol(word, address)
    library = _kept(builder.link(_linker, f"library_{next(_numbers)}"))
    return {name: library[name] for name in objects}


def _kept(thing: Any) -> Any:
    """Never free this, not even when the interpreter ends: threads may still be running its code."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    return thing


if hasattr(os, "register_at_fork"):
    # A fork waits until nobody compiles: LLVM's own locks would stay locked in the child.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
