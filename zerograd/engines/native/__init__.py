"""The native engine: graphs become kernels in LLVM IR, and one program of them runs on all threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerograd.ir import interrupts

if TYPE_CHECKING:
    from zerograd.engines.protocol import Program
    from zerograd.ir.graph import Node


@interrupts.harmless
def compile(outputs: tuple[Node, ...]) -> Program:
    """The program that computes these nodes. What makes programs is loaded when the first is wanted."""
    interrupts.get_ready()
    from zerograd.engines import profiling
    from zerograd.settings import settings

    if profiling.current is not None:
        from zerograd.engines.native.timed import TimedProgram

        return TimedProgram(outputs, profiling.current)
    if settings.debug:
        from zerograd.engines.native.debugging import told

        return told(outputs)
    from zerograd.engines.native.program import compile

    return compile(outputs)


def set_num_threads(count: int) -> None:
    """How many threads programs may use from now on."""
    from zerograd.settings import settings

    settings.threads = count
