"""Text to machine code."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any

from zerograd.engines.native.target import host, llvm, machine

_lock = threading.Lock()
_addresses: dict[str, int] = {}  # by symbol
_held: list[Any] = []  # what must live as long as the code
_linker: Any = None


def symbol(kind: str, text: str) -> str:
    """A name that stands for exactly this text."""
    return f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def load(texts: Mapping[str, str], externals: Mapping[str, int] | None = None) -> dict[str, int]:
    """The addresses of functions, compiled unless that was done before.

    Args:
        texts: by symbol, the LLVM IR that defines it (and declares what it calls). Equal symbols mean equal texts.
        externals: addresses of functions from elsewhere that the texts call.
    """
    with _lock:
        for name, text in texts.items():
            if name not in _addresses:
                _addresses[name] = _link(name, _compile(text), externals or {})
    return {name: _addresses[name] for name in texts}


def _compile(text: str) -> bytes:
    binding, target = llvm(), host()
    module = binding.parse_assembly(f'target triple = "{target.triple}"\n{text}', binding.create_context())
    return machine(target).emit_object(module)


def _link(name: str, code: bytes, externals: Mapping[str, int]) -> int:
    global _linker
    binding = llvm()
    if _linker is None:
        _linker = binding.create_lljit_compiler(machine(host()))
    builder = binding.JITLibraryBuilder().add_object_img(code).export_symbol(name).add_current_process()
    for word, address in externals.items():
        builder.import_symbol(word, address)
    library = builder.link(_linker, f"library_{name}")
    _held.append(library)
    return library[name]
