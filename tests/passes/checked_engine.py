"""The reference engine, which also runs every program through the passes and compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from passes.expressions import close

from zerograd.engines import reference
from zerograd.ir.graph import Node
from zerograd.ir.traverse import format_graph
from zerograd.passes.pipeline import run as simplified
from zerograd.passes.verify import verify
from zerograd.settings import settings

TOLERANCES = {2: 3e-2, 4: 1e-3, 8: 1e-8, 16: 1e-8}  # by the size of an element
_compile = reference.compile


class Checked:
    """Counts the graphs that it has compared, and keeps the last one before and after."""

    def __init__(self) -> None:
        self.graphs = 0
        self.before: tuple[Node, ...] = ()
        self.after: tuple[Node, ...] = ()

    def compile(self, outputs: tuple[Node, ...]) -> Any:
        """Stands in the place of the engine's."""
        after = simplified(outputs)
        verify(outputs, after)
        first, second = _compile(outputs), _compile(after)
        self.graphs += 1
        self.before, self.after = outputs, after

        def run(leaves: Sequence[Any]) -> Any:
            expected = first(leaves)
            for x, y in zip(expected, second(leaves), strict=True):
                if not close(x, y, TOLERANCES.get(x.dtype.itemsize, 0)):
                    raise AssertionError(f"{x}\n{y}\n{format_graph(outputs)}\n\n{format_graph(after)}")
            return expected

        return run


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Checked:
    """The engine of the test, which compares."""
    engine = Checked()
    monkeypatch.setattr(reference, "compile", engine.compile)
    monkeypatch.setattr(settings, "engine", "reference")
    return engine
