"""What ``ZEROGRAD_DEBUG`` tells of each program that is made."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from zerograd.engines.describing import origin, title
from zerograd.engines.native.kernel import Instruction, Kernel
from zerograd.engines.native.making import Making, Segment
from zerograd.engines.native.program import Program
from zerograd.engines.native.schedule import cost_of
from zerograd.engines.native.target import host, llvm, machine
from zerograd.ir.graph import Node
from zerograd.ir.record import user_line
from zerograd.ir.traverse import format_graph
from zerograd.settings import settings


def told(outputs: tuple[Node, ...]) -> Program:
    """The program that computes these nodes; what ``settings.debug`` asks for goes to standard error."""
    making = Making(outputs)
    for word, function in TOLD.items():
        if word in settings.debug:
            function(making)
    return Program(outputs, making.recipe())


def _print(heading: str, text: str) -> None:
    print(f"--- {heading} ---\n{text}", file=sys.stderr)


def graphs(making: Making) -> None:
    """The graph before and after the passes."""
    _print(f"graph recorded before {user_line()}", format_graph(making.recorded))
    _print("after the passes", format_graph(making.outputs))


def instructions(making: Making) -> None:
    """What is done in which order, with its cost in microseconds on one thread."""
    _print(f"instructions, first run from {user_line()}", "\n".join(_lines(making)))


def _lines(making: Making) -> Iterator[str]:
    for part in making.parts:
        if not isinstance(part, Segment):
            yield f"NumPy   {_named((part.node,))}"
            continue
        yield f"segment, {part.cost / 1e3:.1f} us on one thread"
        for chain in part.phases.chains:
            yield f"  phase {chain.phase}, {chain.slabs} slabs, {cost_of(chain.instructions) / 1e3:.1f} us"
            for one in chain.instructions:
                kind = one.kernel.symbol.rpartition("_")[0]
                yield f"    {kind:9} {_named(one.nodes)}   {one.units} units, {one.cost * one.units / 1e3:.1f} us"
    yield f"arena {making.arena} bytes, {sum(one.slot >= 0 for one in making.results)} results in place"


def _named(nodes: tuple[Node, ...]) -> str:
    found = origin(nodes)
    where = "" if found is None else f"  {found.line}{' backward' if found.backward else ''}"
    return f"{title(nodes)}{where}"


def kernels(making: Making) -> None:
    """The text and the machine's code of each kernel as files ``<name>.ll`` and ``<name>.s``."""
    folder = Path(settings.debug_dir)
    folder.mkdir(parents=True, exist_ok=True)
    for kernel in {one.kernel.symbol: one.kernel for one in _instructions(making)}.values():
        path = folder / f"{kernel.symbol}.ll"
        if not path.exists():
            path.write_text(kernel.text)
            path.with_suffix(".s").write_text(_assembly(kernel))


def _instructions(making: Making) -> Iterator[Instruction]:
    for part in making.parts:
        if isinstance(part, Segment):
            yield from part.instructions


def _assembly(kernel: Kernel) -> str:
    binding, target = llvm(), host()
    module = binding.parse_assembly(f'target triple = "{target.triple}"\n{kernel.text}', binding.create_context())
    return machine(target).emit_assembly(module)


def fallbacks(making: Making) -> None:
    """A warning for each node that NumPy computes."""
    for part in making.parts:
        if not isinstance(part, Segment):
            warnings.warn(f"NumPy computes {_named((part.node,))}: the native engine has no kernel", stacklevel=2)


TOLD: dict[str, Callable[[Making], None]] = {
    "graphs": graphs, "instructions": instructions, "kernels": kernels, "fallbacks": fallbacks,
}  # fmt: skip
