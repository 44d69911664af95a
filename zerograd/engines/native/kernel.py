"""What a native program is made of.

A *kernel* is a function in LLVM IR. Sizes and strides are no part of it: it reads them from ``numbers``, so one kernel
serves every shape, and a batch of another size needs no new code. An *instruction* is a kernel with its numbers. Its
work is divided into *units* (rows, images, pieces of a flat array), and one call does the units ``low <= u < high``.

    void kernel(ptr buffers, ptr numbers, i64 low, i64 high, ptr scratch)

buffers   pointers to all data of the program, by slot
numbers   i64s of this instruction: first (slot, byte offset) of each operand, then whatever the kernel wants
scratch   memory of this thread, aligned to 64 bytes, of the size that the instruction asks for; its content is garbage

Laws: a unit's result does not depend on which other units are done in the same call, so that any division of the work
among threads gives the same bits; different units write to different places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zerograd.engines.native.emit import Function, Operand, Value
from zerograd.engines.native.jit import Text, described, symbol

if TYPE_CHECKING:
    from zerograd.ir.graph import Node

PARAMETERS = (("ptr", "buffers"), ("ptr", "numbers"), ("i64", "low"), ("i64", "high"), ("ptr", "scratch"))
NAME = "kernel"  # the symbol in a text before its hash is known


class KernelFunction(Function):
    """A kernel under construction."""

    def __init__(self) -> None:
        super().__init__(NAME, PARAMETERS)
        self.buffers, self.numbers, self.low, self.high, self.scratch = self.arguments

    def number(self, index: int) -> Value:
        """The instruction's ``index``-th number, an i64."""
        return self.load("i64", self.numbers, index)

    def place(self, operand: int) -> Value:
        """Where the data of the ``operand``-th operand begins."""
        base = self.load("ptr", self.buffers, self.number(2 * operand))
        return self.pointer(base, self.number(2 * operand + 1))

    def least(self, x: Operand, y: Operand) -> Value:
        """The smaller of two signed integers."""
        return self.intrinsic("smin", x, y)


class Kernel:
    """The text of a kernel under the symbol that stands for it.

    Attributes:
        symbol: the name in the text.
        source: the text, or what writes it when it is needed; for ``jit.load``.
    """

    __slots__ = ("source", "symbol")

    source: Text

    def __init__(self, kind: str, text: str) -> None:
        self.symbol = symbol(kind, text)
        self.source = text.replace(f"@{NAME}(", f"@{self.symbol}(")

    @classmethod
    def described(cls, kind: str, description: str, write: Callable[[], str]) -> Kernel:
        """A kernel whose text is written only if no compiled code is found.

        Args:
            kind: a word for people.
            description: all that the text depends on besides the machine and the engine's own files; its ``repr`` must
                be the same in every process (no addresses, no order of sets).
            write: gives the text.
        """
        self = cls.__new__(cls)
        self.symbol = described(kind, description)
        self.source = lambda: write().replace(f"@{NAME}(", f"@{self.symbol}(")
        return self

    @property
    def text(self) -> str:
        """LLVM IR."""
        return self.source if isinstance(self.source, str) else self.source()


class Access:
    """How an instruction touches one buffer.

    Attributes:
        buffer: which one, as the program numbers them.
        slabs: into how many equal, consecutive parts the buffer can be divided such that, with the units divided
            likewise, each part of the units touches its own part of the buffer only; 1: no such division.
        offset: in bytes, where the operand begins in the buffer.
        part: (i, n): only the i-th of n equal, consecutive parts of the buffer is touched; ``None``: any of it.
    """

    __slots__ = ("buffer", "offset", "part", "slabs")

    def __init__(self, buffer: int, slabs: int = 1, offset: int = 0, part: tuple[int, int] | None = None) -> None:
        self.buffer, self.slabs, self.offset, self.part = buffer, slabs, offset, part


class Instruction:
    """A kernel and what it is called with.

    Attributes:
        kernel: what is called.
        reads, writes: its operands, in the order of the kernel: first those read, then those written.
        extra: the numbers that follow the operands'.
        units: into how many pieces the work can be divided.
        cost: nanoseconds that one unit takes, roughly, on one thread.
        scratch: bytes of scratch memory that a call needs.
        grain: with fewer units than this in a call, it is slow.
        in_place: (written, read) buffers where the one may be the other: each element is read before it is written.
        reports: it may report a wrong index in the status word, buffer 0.
        nodes: what it computes, alone or with other instructions; nothing for a copy.
    """

    __slots__ = (
        "cost", "extra", "grain", "in_place", "kernel", "nodes", "reads", "reports", "scratch", "units", "writes",
    )  # fmt: skip

    def __init__(
        self,
        kernel: Kernel,
        reads: Sequence[Access],
        writes: Sequence[Access],
        extra: Sequence[int],
        units: int,
        cost: float,
        scratch: int = 0,
    ) -> None:
        self.kernel = kernel
        self.reads, self.writes = tuple(reads), tuple(writes)
        self.extra = tuple(extra)
        self.units, self.cost, self.scratch = units, cost, scratch
        self.grain = 1
        self.in_place: tuple[tuple[int, int], ...] = ()
        self.reports = False
        self.nodes: tuple[Node, ...] = ()
