"""Machine code that lies ready to be copied into memory: objects linked without a linker, and without LLVM.

LLVM gives an object file for each kernel. Here it becomes an *image*: its sections laid out one after the other, with
all references among them resolved, which works because code addresses its constants relative to itself. What it calls
outside goes through slots that are filled when the image is placed. A program that finds its images on the disk never
loads LLVM, whose library has 180 MB and 145,000 references to resolve.

Only ELF for x86-64 is understood, and only what kernels need; ``link`` gives None for all else, and LLVM links it then.
Source: System V Application Binary Interface, AMD64 supplement, "Relocation".
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

_ALIGN = 64
_X86_64 = 62
_PROGBITS, _RELA, _NOBITS, _SYMTAB = 1, 4, 8, 2
_WRITE, _ALLOC, _TLS = 1, 2, 1024
_TO_CODE = {2: "PC32", 4: "PLT32"}  # relative to the place itself; what lies outside is reached over a stub
_TO_SLOT = {9: "GOTPCREL", 41: "GOTPCRELX", 42: "REX_GOTPCRELX"}  # relative, to where the address is written
_STUB = b"\xff\x25"  # jmp [rip + offset]


class Image(NamedTuple):
    """Code that runs at any address that is a multiple of 64.

    Attributes:
        code: the bytes.
        entry: where in them the function begins.
        holes: (symbol, offset): where the addresses of functions from outside must be written.
    """

    code: bytes
    entry: int
    holes: tuple[tuple[str, int], ...]


class _Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class _Symbol(NamedTuple):
    name: str
    section: int
    value: int


class _UnknownError(Exception):
    """The object has something in it that kernels do not have."""


class _Object:
    """An object file taken apart, and the image that it becomes."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != _X86_64:
            raise _UnknownError
        self.data = data
        (start,) = struct.unpack_from("<Q", data, 40)
        _, count, names = struct.unpack_from("<HHH", data, 58)
        self.sections = [_Section(*struct.unpack_from("<IIQQQQIIQQ", data, start + 64 * i)) for i in range(count)]
        self.names = self.sections[names]
        self.code = bytearray()
        self.starts: dict[int, int] = {}  # by section
        self.slots: dict[str, int] = {}  # by symbol
        self.stubs: dict[str, int] = {}
        self.symbols = self._symbols()

    def _text(self, table: _Section, at: int) -> str:
        start = table.offset + at
        return self.data[start : self.data.index(b"\0", start)].decode()

    def _symbols(self) -> list[_Symbol]:
        (table,) = (one for one in self.sections if one.kind == _SYMTAB)
        strings = self.sections[table.link]
        found = []
        for at in range(table.offset, table.offset + table.size, 24):
            name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", self.data, at)
            found.append(_Symbol(self._text(strings, name), section, value))
        return found

    def lay_out(self) -> None:
        for index, one in enumerate(self.sections):
            if not one.flags & _ALLOC or not one.size or self._text(self.names, one.name) == ".eh_frame":
                continue
            if one.kind != _PROGBITS or one.flags & (_WRITE | _TLS) or one.alignment > _ALIGN:
                raise _UnknownError
            self.code.extend(bytes(-len(self.code) % max(one.alignment, 1)))
            self.starts[index] = len(self.code)
            self.code.extend(self.data[one.offset : one.offset + one.size])

    def resolve(self) -> None:
        for one in self.sections:
            if one.kind != _RELA or one.info not in self.starts:
                continue
            for at in range(one.offset, one.offset + one.size, 24):
                place, info, addend = struct.unpack_from("<QQq", self.data, at)
                place += self.starts[one.info]
                distance = self._goal(self.symbols[info >> 32], info & 0xFFFFFFFF) + addend - place
                struct.pack_into("<i", self.code, place, distance)

    def _goal(self, symbol: _Symbol, kind: int) -> int:
        if symbol.section in self.starts and kind in _TO_CODE:
            return self.starts[symbol.section] + symbol.value
        if symbol.section == 0 and kind in _TO_CODE:
            return self._stub(symbol.name)
        if symbol.section == 0 and kind in _TO_SLOT:
            return self._slot(symbol.name)
        raise _UnknownError

    def _slot(self, name: str) -> int:
        if name not in self.slots:
            self.code.extend(bytes(-len(self.code) % 8))
            self.slots[name] = len(self.code)
            self.code.extend(bytes(8))
        return self.slots[name]

    def _stub(self, name: str) -> int:
        if name not in self.stubs:
            slot = self._slot(name)
            self.stubs[name] = len(self.code)
            self.code.extend(_STUB + struct.pack("<i", slot - len(self.code) - 6) + b"\xcc\xcc")
        return self.stubs[name]


def link(data: bytes, name: str) -> Image | None:
    """The image of an object file that defines the function ``name``; None if it needs a real linker."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        made = _Object(data)
        made.lay_out()
        made.resolve()
        (entry,) = (made.starts[one.section] + one.value for one in made.symbols if one.name == name)
    except (_UnknownError, KeyError, ValueError, struct.error):
        return None
    return Image(bytes(made.code), entry, tuple(made.slots.items()))


@functools.cache
def _system() -> Any:
    """The functions of the C library that the process exports."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return library


def exported(name: str) -> int:
    """The address of a function that the process exports.

    Raises:
        AttributeError: there is none of that name.
    """
    return ctypes.cast(getattr(_system(), name), ctypes.c_void_p).value or 0


def place(images: Sequence[Image], find: Callable[[str], int]) -> list[int]:
    """Bring images into memory, where they stay until the process ends; nothing is writable and executable at once.

    Args:
        images: what to place.
        find: gives the address of a function from outside.

    Returns:
        The address of each image's function.

    Raises:
        OSError: the system gives no memory, or none for code.
    """
    starts, size = [], 0
    for one in images:
        starts.append(size)
        size += len(one.code) + -len(one.code) % _ALIGN
    content = bytearray(size)
    for start, one in zip(starts, images, strict=True):
        content[start : start + len(one.code)] = one.code
        for name, offset in one.holes:
            struct.pack_into("<Q", content, start + offset, find(name))
    base = _system().mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if base in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "no memory for code")
    ctypes.memmove(base, bytes(content), size)
    if _system().mprotect(base, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "memory cannot be made executable")
    return [base + start + one.entry for start, one in zip(starts, images, strict=True)]
