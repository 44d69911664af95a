"""What the machine offers: instruction set, vector width, registers; and LLVM, which is loaded at first use."""

from __future__ import annotations

import functools
import platform
import threading
from typing import Any

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
    """

    __slots__ = ("cpu", "features", "lanes", "registers", "triple")

    def __init__(self, triple: str, cpu: str, features: str, lanes: int, registers: int) -> None:
        self.triple, self.cpu, self.features = triple, cpu, features
        self.lanes, self.registers = lanes, registers


@functools.cache
def llvm() -> Any:
    """llvmlite's binding, made ready. Importing it takes a third of a second, so nothing else may."""
    import llvmlite.binding as binding

    with _lock:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        binding.set_option("", "-disable-lsr")  # strength reduction turns cheap addresses into many live registers
    return binding


_WIDTHS = (("avx512f", 16, 32), ("avx2", 8, 16), ("avx", 8, 16), ("sse2", 4, 16), ("neon", 4, 32))


@functools.cache
def host() -> Target:
    """This machine."""
    binding = llvm()
    has = dict(binding.get_host_cpu_features())
    if platform.machine().lower() in ("arm64", "aarch64"):
        has["neon"] = True
    lanes, registers = next(((n, r) for name, n, r in _WIDTHS if has.get(name)), (4, 16))
    features = ",".join(("+" if on else "-") + name for name, on in sorted(has.items()))
    if lanes == 16:
        features += ",-prefer-256-bit"
    return Target(binding.get_default_triple(), binding.get_host_cpu_name(), features, lanes, registers)


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
