"""What threads need of LLVM IR: atomic memory, jumps, a pause, and ways to sleep until a word changes.

How a thread sleeps depends on the system; ``WAITS`` has one row for each. A row's ``sleep`` may return too early, and
its ``wake`` may wake more than it was asked to: who sleeps looks again afterwards.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from zerograd.engines.native.emit import Function, Operand, Value

EVERYBODY = 0x7FFFFFFF


class ThreadedFunction(Function):
    """A function that shares memory with other threads. Indices count elements of the value's type."""

    def read(self, base: Value, index: Operand = 0, order: str = "monotonic") -> Value:
        """An i64 that others may be writing."""
        at = self.pointer(base, index, "i64")
        return self.value("i64", f"load atomic i64, ptr {at.name} {order}, align 8")

    def write(self, x: Operand, base: Value, index: Operand = 0, order: str = "monotonic") -> None:
        """Store an i64 that others may be reading."""
        at, x = self.pointer(base, index, "i64"), self.operand(x, "i64")
        self.do(f"store atomic i64 {x.name}, ptr {at.name} {order}, align 8")

    def exchange(self, how: str, x: Operand, base: Value, index: Operand = 0) -> Value:
        """Change an i64 in one step (``how``: xchg, add, or, and) and give what it was; all agree on the order."""
        at, x = self.pointer(base, index, "i64"), self.operand(x, "i64")
        return self.value("i64", f"atomicrmw {how} ptr {at.name}, i64 {x.name} seq_cst")

    def replace(self, expected: Operand, x: Operand, base: Value, index: Operand = 0) -> Value:
        """Store ``x`` if the i64 there is ``expected``; an i1 tells whether it was."""
        at, old, new = self.pointer(base, index, "i64"), self.operand(expected, "i64"), self.operand(x, "i64")
        pair = self.value("pair", f"cmpxchg ptr {at.name}, i64 {old.name}, i64 {new.name} seq_cst seq_cst")
        return self.value("i1", f"extractvalue {{ i64, i1 }} {pair.name}, 1")

    def jump(self, label: str) -> None:
        """Go on at a block."""
        self.do(f"br label %{label}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        """Go on at one of two blocks."""
        self.do(f"br i1 {condition.name}, label %{yes}, label %{no}")

    def variable(self) -> Value:
        """Memory for an i64 of this call."""
        return self.value("ptr", "alloca i64, align 8")

    def call_at(self, address: Value, *arguments: Value) -> None:
        """Call a function without result through its address."""
        self.do(f"call void {address.name}({', '.join(f'{one.type} {one.name}' for one in arguments)})")

    def pause(self) -> None:
        """Tell the processor that this is a waiting loop, which leaves its twin more of the core and saves power."""
        match platform.machine().lower():
            case "x86_64" | "amd64" | "i386" | "i686":
                self.call("llvm.x86.sse2.pause", "void")
            case "arm64" | "aarch64":
                self.call("llvm.aarch64.isb", "void", Value("15", "i32"))  # `yield` does nothing on most chips


class Wait(NamedTuple):
    """How threads sleep on a system.

    Attributes:
        sleep: (function, word, expected, bit, spare): wait while the 32-bit word is ``expected``; ``bit`` (i32) names
            the sleeper, ``spare`` is 8 bytes of its own memory.
        wake: (function, word, bits): wake all who sleep there under one of the bits.
        externals: addresses of functions that the process does not export by name.
    """

    sleep: Callable[[ThreadedFunction, Value, Value, Value, Value], None]
    wake: Callable[[ThreadedFunction, Value, Value], None]
    externals: Callable[[], Mapping[str, int]] = dict


def _futex(number: int) -> Wait:
    """Linux. Source: futex(2): FUTEX_WAIT_BITSET 9, FUTEX_WAKE_BITSET 10, FUTEX_PRIVATE_FLAG 128."""

    def call(f: ThreadedFunction, word: Value, operation: int, value: str, bits: Value) -> None:
        f.declared["syscall"] = "declare i64 @syscall(i64, ...)"
        rest = f"ptr {word.name}, i32 {operation | 128}, i32 {value}, ptr null, ptr null, i32 {bits.name}"
        f.value("i64", f"call i64 (i64, ...) @syscall(i64 {number}, {rest})")

    return Wait(
        lambda f, word, expected, bit, spare: call(f, word, 9, expected.name, bit),
        lambda f, word, bits: call(f, word, 10, str(EVERYBODY), bits),
    )


def _ulock_sleep(f: ThreadedFunction, word: Value, expected: Value, bit: Value, spare: Value) -> None:
    del bit, spare
    value = f.convert(expected, "i64", signed=False)
    f.call("__ulock_wait", "i32", Value("1", "i32"), word, value, Value("0", "i32"))


def _ulock_wake(f: ThreadedFunction, word: Value, bits: Value) -> None:
    del bits
    f.call("__ulock_wake", "i32", Value("257", "i32"), word, Value("0", "i64"))


# macOS. Source: xnu, bsd/sys/ulock.h: UL_COMPARE_AND_WAIT 1, ULF_WAKE_ALL 256.
_ULOCK = Wait(_ulock_sleep, _ulock_wake)


def _address_sleep(f: ThreadedFunction, word: Value, expected: Value, bit: Value, spare: Value) -> None:
    del bit
    f.store(expected, spare)
    f.call("WaitOnAddress", "i32", word, spare, Value("4", "i64"), Value("-1", "i32"))


def _address_wake(f: ThreadedFunction, word: Value, bits: Value) -> None:
    del bits
    f.call("WakeByAddressAll", "void", word)


def _address_functions() -> Mapping[str, int]:
    library = getattr(ctypes, "WinDLL")("kernelbase")  # noqa: B009  only Windows has it
    names = ("WaitOnAddress", "WakeByAddressAll")
    return {name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in names}


_ADDRESS = Wait(_address_sleep, _address_wake, _address_functions)


def _poll_sleep(f: ThreadedFunction, word: Value, expected: Value, bit: Value, spare: Value) -> None:
    del word, expected, bit, spare
    f.call("usleep", "i32", Value("500", "i32"))


# Anywhere else: look twice in a millisecond.
POLL = Wait(_poll_sleep, lambda f, word, bits: None)

WAITS: dict[tuple[str, str], Wait] = {
    ("linux", "x86_64"): _futex(202),
    ("linux", "aarch64"): _futex(98),
    ("linux", "riscv64"): _futex(98),
    ("linux", "ppc64le"): _futex(221),
    ("darwin", "arm64"): _ULOCK,
    ("darwin", "x86_64"): _ULOCK,
    ("win32", "amd64"): _ADDRESS,
    ("win32", "arm64"): _ADDRESS,
}


def wait() -> Wait:
    """How threads sleep here. A 32-bit Python on a 64-bit system, whose calls have other numbers, polls."""
    if sys.maxsize < 1 << 32:
        return POLL
    return WAITS.get((sys.platform, platform.machine().lower()), POLL)
