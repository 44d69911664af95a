"""The graphs of real programs, with their data: whatever is compiled while a program runs."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zerograd.engines import reference
from zerograd.engines.checking.trial import Trial
from zerograd.engines.protocol import Program
from zerograd.ir.graph import Array, Node


@contextmanager
def captured(name: str, module: Any = reference, most: int = 1000) -> Iterator[list[Trial]]:
    """The trials that the programs compiled inside the block are; each structure once, with the data of its last run.

    Args:
        name: of the trials.
        module: the engine that computes meanwhile; its ``compile`` must be looked up in the module when it is called.
        most: how many structures are kept.
    """
    compile, seen = module.compile, {}
    trials: list[Trial] = []

    def recording(outputs: tuple[Node, ...]) -> Program:
        program = compile(outputs)

        def run(leaves: Sequence[Any]) -> list[Array]:
            if outputs in seen or len(seen) < most:
                kept = tuple(np.array(one) if isinstance(one, np.ndarray) else one for one in leaves)
                seen[outputs] = Trial(f"{name}, program {list(seen).index(outputs) if outputs in seen else len(seen)}",
                                      outputs, kept)  # fmt: skip
            return program(leaves)

        return run

    module.compile = recording
    try:
        yield trials
    finally:
        module.compile = compile
        trials.extend(seen.values())


def of_script(path: str, arguments: Sequence[str] = ()) -> list[Trial]:
    """The trials that a Python script gives, which imports zerograd by whatever name."""
    before = sys.argv, list(sys.path)
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).resolve().parent))
    try:
        with captured(Path(path).name) as trials:
            runpy.run_path(path, run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before
    return trials
