"""What the machine offers: instruction set, vector width, registers; and LLVM, which is loaded at first use."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import itertools
import json
import os
import platform
import threading
from typing import Any

from zerograd.engines.faults import Uncompilable
from zerograd.engines.native.codestore import store
from zerograd.frozen import Frozen

_lock = threading.Lock()


class Target(Frozen):
    """The processor that kernels are made for.

    Attributes:
        triple: LLVM's name for machine and system.
        cpu: LLVM's name for the processor.
        features: what it has beyond ``cpu``'s definition, as LLVM takes it.
        lanes: float32 numbers in a vector register.
        registers: vector registers.
        mark: stands for all of these and the LLVM that is installed.
    """

    __slots__ = ("cpu", "features", "lanes", "mark", "registers", "triple")

    def __init__(self, triple: str, cpu: str, features: str, lanes: int, registers: int) -> None:
        self.triple, self.cpu, self.features = triple, cpu, features
        self.lanes, self.registers = lanes, registers
        self.mark = _mark(triple, cpu, features, lanes, registers, *_llvm_identity())


@functools.cache
def llvm() -> Any:
    """llvmlite's binding, made ready. Importing it takes a third of a second, so nothing else may.

    Raises:
        Uncompilable: llvmlite is not installed, or is broken.
    """
    try:
        import llvmlite.binding as binding

        with _lock:
            binding.initialize_native_target()
            binding.initialize_native_asmprinter()
            binding.set_option("", "-disable-lsr")  # strength reduction turns cheap addresses into many live registers
    except Exception as error:  # a library that cannot be loaded raises OSError, one of another version anything else
        raise Uncompilable(f"{type(error).__name__}: {error}") from error
    return binding


_WIDTHS = (("avx512f", 16, 32), ("avx2", 8, 16), ("avx", 8, 16), ("sse2", 4, 16), ("neon", 4, 32))


@functools.cache
def host() -> Target:
    """This machine; asked of LLVM once, and known from the disk later."""
    identity = _processor()
    if identity is None:
        return _ask()
    name = f"host-{_mark(identity, *_llvm_identity())}"
    known = store.get(name)
    if known is not None:
        return Target(*json.loads(known))
    found = _ask()
    fields = [found.triple, found.cpu, found.features, found.lanes, found.registers]
    store.put(name, json.dumps(fields).encode())
    return found


def _ask() -> Target:
    binding = llvm()
    has = dict(binding.get_host_cpu_features())
    if platform.machine().lower() in ("arm64", "aarch64"):
        has["neon"] = True
    lanes, registers = next(((n, r) for name, n, r in _WIDTHS if has.get(name)), (4, 16))
    features = ",".join(("+" if on else "-") + name for name, on in sorted(has.items()))
    if lanes == 16:
        features += ",-prefer-256-bit"
    return Target(binding.get_default_triple(), binding.get_host_cpu_name(), features, lanes, registers)


def _mark(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _processor() -> str | None:
    """The processor and what it has, without LLVM; None where that cannot be told."""
    try:
        with open("/proc/cpuinfo", encoding="latin-1") as file:
            lines = list(itertools.takewhile(str.strip, file))  # of the first one: writing all takes the system long
    except OSError:
        return None
    told = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
    kept = [line for line in lines if line.split("\t")[0].split(":")[0].strip() in told]
    return platform.machine() + "".join(kept) if any(line.startswith("flags") for line in kept) else None


@functools.cache
def _llvm_identity() -> tuple[object, ...]:
    """What changes when another llvmlite is installed: its version and the size and time of its library."""
    found = importlib.util.find_spec("llvmlite")
    if found is None or found.origin is None:
        return ()
    folder = os.path.dirname(found.origin)
    try:
        with open(os.path.join(folder, "_version.py"), encoding="utf-8") as file:
            identity: list[object] = [file.read()]
        for one in os.scandir(os.path.join(folder, "binding")):
            if one.name.endswith((".so", ".dylib", ".dll")):
                identity.append((one.name, one.stat().st_size, one.stat().st_mtime_ns))
    except OSError:  # an installation with holes: ``llvm`` says what is wrong
        return ()
    return tuple(sorted(identity, key=str))


def machine(target: Target) -> Any:
    """LLVM's code generator for a target; one for each compilation, since it is not thread-safe.

    Constants are addressed relative to the code (``small``, ``pic``): LLVM's default for code that is made at run time
    spends a register and an instruction of ten bytes on the address of each.
    """
    binding = llvm()
    family = binding.Target.from_triple(target.triple)
    return family.create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="small", jit=True
    )
