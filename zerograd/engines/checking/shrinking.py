"""The smallest part of a graph in which an engine goes wrong.

A part is cut out of the graph by making leaves of intermediate nodes, bound to the values that the reference
computes there. First every op is tried by itself; a fault that shows only where ops are compiled together is cut
down edge by edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd.engines.checking.comparing import Expectation, expected, extremes
from zerograd.engines.checking.tolerances import STRICT, Freedoms
from zerograd.engines.checking.trial import Trial, above, arrays_in, cut, is_number
from zerograd.ir.graph import Node, leaf, output
from zerograd.ir.traverse import format_graph

Fails = Callable[[Expectation], list[str]]
LIMIT = 400  # parts that are tried at most


def shrunk(expectation: Expectation, fails: Fails, freedoms: Freedoms = STRICT) -> Expectation:
    """The smallest part found in which ``fails`` still finds something."""
    return _Search(expectation, fails, freedoms).smallest()


class _Search:
    def __init__(self, whole: Expectation, fails: Fails, freedoms: Freedoms) -> None:
        self.whole, self.fails, self.freedoms = whole, fails, freedoms
        self.left = LIMIT

    def smallest(self) -> Expectation:
        return self._single() or self._cut_down(self._one_output())

    def _part(self, outputs: tuple[Node, ...], bound: dict[Node, Any]) -> Expectation | None:
        """The part as an expectation if it fails."""
        if self.left <= 0:
            return None
        self.left -= 1
        part = expected(cut(self.whole.trial, outputs, bound), self.freedoms)
        return part if self.fails(part) else None

    def _values(self, nodes: Any) -> dict[Node, Any]:
        return {one: self.whole.values[one] for one in nodes if not isinstance(one.type, tuple) and not is_number(one)}

    def _single(self) -> Expectation | None:
        """One op that fails with the reference's operands."""
        for node in above(self.whole.trial.outputs, {}):
            if node.op is leaf or node.op is output:
                continue
            found = self._part(node.results or (node,), self._values(node.inputs))
            if found is not None:
                return found
        return None

    def _one_output(self) -> tuple[Node, ...]:
        outputs = tuple(dict.fromkeys(self.whole.trial.outputs))
        for one in outputs:
            if self._part((one,), {}):
                return (one,)
        return outputs

    def _cut_down(self, outputs: tuple[Node, ...]) -> Expectation:
        """Nodes are made leaves one after the other, those near the leaves first, as long as it still fails.

        Then inner nodes take the place of the outputs.
        """
        best = self._part(outputs, {}) or self.whole
        bound: dict[Node, Any] = {}
        for node in above(outputs, {}):
            if node.op is leaf or node in outputs or isinstance(node.type, tuple):
                continue
            tried = {**bound, **self._values([node])}
            part = self._part(outputs, tried)
            if part is not None:
                best, bound = part, tried
        for node in above(outputs, bound):
            if node.op is leaf or node in bound or node in outputs or isinstance(node.type, tuple):
                continue
            part = self._part((node,), bound)
            if part is not None and part.trial.size < best.trial.size:
                return part
        return best


def described(trial: Trial) -> str:
    """A graph as lines, and what its leaves hold."""
    lines = [format_graph(trial.outputs)]
    for slot, one in enumerate(trial.leaves):
        (array,) = arrays_in(one)
        steps = f", strides {array.strides}" if array.ndim and not array.flags.c_contiguous else ""
        text = np.array2string(array, threshold=8, edgeitems=2).replace("\n", " ") if array.size <= 12 else ""
        lines.append(f"leaf {slot}: {array.dtype}{list(array.shape)}{steps}, {text or extremes(array)}")
    return "\n".join(lines)
