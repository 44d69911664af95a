"""Ops that run along an axis and keep every step: running sums, products, extremes, recurrences.

A line is walked through by one thread, in the reference's order. Lines that lie side by side (behind the axis) are
walked through together, in vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import choice, conversion, mathematics
from zerograd.engines.native.emit import Function, Value, is_float, lanes, vector
from zerograd.engines.native.kernel import Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.target import host
from zerograd.ir.graph import Node
from zerograd.shapes import count

NUMBERS = ("length", "inner", "blocks", "whole")  # of a line; lines side by side; units for them; of these in vectors
COST = {"logcumsumexp": 12.0}  # nanoseconds of a step; of other ops 1

State = list[Value]
Step = Callable[[Function, dtype, Value, State, list[Value]], State]
"""(f, dtype, place along the line, results of the step before, elements of the operands) -> results of this step."""


def _running(combine: Callable[[Function, Value, Value], Value]) -> Step:
    return lambda f, kind, i, state, xs: [combine(f, state[0], xs[0])]


def _recurrence(f: Function, kind: dtype, i: Value, state: State, xs: list[Value]) -> State:
    factor, term = xs
    return [f.add(term, f.mul(factor, state[0]))]


def _extreme(combine: Callable[[Function, dtype, Value, Value], Value]) -> Step:
    """The running extreme and its last place, as ``ops.scan`` defines it."""

    def step(f: Function, kind: dtype, i: Value, state: State, xs: list[Value]) -> State:
        value = combine(f, kind, state[0], xs[0])
        here = f.compare("oeq" if is_float(value.type) else "eq", xs[0], value)
        if is_float(value.type):
            here = f.or_(here, f.compare("uno", xs[0], xs[0]))
        return [value, f.select(here, f.splat(i, lanes(value.type)), state[1])]

    return step


STEPS: Final[dict[str, Step]] = {
    "cumsum": _running(Function.add),
    "cumprod": _running(Function.mul),
    "logcumsumexp": _running(mathematics.logaddexp),
    "recurrence": _recurrence,
    "cummax": _extreme(choice.maximum),
    "cummin": _extreme(choice.minimum),
}
_OF_FLOATS: Final = ("logcumsumexp",)


def _text(name: str, kind: dtype, operands: int, results: Sequence[dtype]) -> str:
    """Units: for what lies before the axis, the blocks of lines side by side; the last block goes line by line."""
    f = KernelFunction()
    width, step = host().lanes, STEPS[name]
    n = {word: f.number(2 * (operands + len(results)) + i) for i, word in enumerate(NUMBERS)}
    reads = [(f.place(i), kind) for i in range(operands)]
    writes = [(f.place(operands + i), one) for i, one in enumerate(results)]
    plane = f.mul(n["length"], n["inner"])

    def lines(batch: Value, j: Value, size: int) -> None:
        """``size`` lines from line ``j`` on."""
        start = f.add(f.mul(batch, plane), j)

        def operands_at(at: Value) -> list[Value]:
            return [conversion.load(f, type, size, base, at) for base, type in reads]

        def keep(at: Value, state: Sequence[Value]) -> None:
            for (base, type), x in zip(writes, state, strict=True):
                conversion.store(f, type, conversion.round_to(f, x, type), base, at)

        def following(i: Value, *state: Value) -> State:
            at = f.add(start, f.mul(i, n["inner"]))
            found = step(f, kind, i, list(state), operands_at(at))
            keep(at, found)
            return found

        first = operands_at(start)[-1:] + [f.const(0, vector("i64", size))] * (len(results) - 1)
        keep(start, first)
        f.loop(1, n["length"], 1, following, first)

    def unit(u: Value) -> None:
        batch, block = f.binary("udiv", u, n["blocks"]), f.binary("urem", u, n["blocks"])
        whole = f.compare("slt", block, n["whole"])
        begin = f.mul(block, width)
        f.if_(
            whole,
            lambda: lines(batch, begin, width),
            lambda: f.loop(begin, n["inner"], 1, lambda j: lines(batch, j, 1)),
        )

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


@special(*STEPS)
def _scan(lowering: Lowering, node: Node) -> bool:
    name, kind = node.op.name, node.inputs[0].dtype
    exact = conversion.computable(kind) and kind is not dtypes.bool_
    if not exact or not node.inputs[0].type.count or (name in _OF_FLOATS and not kind.is_floating_point):
        return False
    axis, shape = node.attributes["axis"], node.inputs[0].shape
    outer, length, inner = count(shape[:axis]), shape[axis], count(shape[axis + 1 :])
    width = host().lanes
    whole, blocks = inner // width, -(-inner // width)
    sources = [lowering.whole(one) for one in node.inputs]
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    targets = [lowering.new_window(one) for one in types]
    results = [one.dtype for one in targets]

    description = f"{name} {kind.name} {len(sources)} {[one.name for one in results]}"
    lowering.steps.append(
        Instruction(
            Kernel.described("scan", description, lambda: _text(name, kind, len(sources), results)),
            [lowering.access(one, outer) for one in sources],
            [lowering.access(one, outer) for one in targets],
            [length, inner, blocks, whole],
            outer * blocks,
            length * min(inner, width) * COST.get(name, 1.0) / (1 if inner < width else width / 2) + 5,
        )
    )
    lowering.place_results(node, targets)
    return True
