"""One trial of one engine: results, repeatability, threads, and what an engine must leave alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerograd.engines.checking.comparing import Expectation, agreeing
from zerograd.engines.checking.drawing import Draw
from zerograd.engines.protocol import Compile, Program
from zerograd.ir.graph import Array

ENGINES = {"reference": "zerograd.engines.reference", "native": "zerograd.engines.native"}
"""The modules that have ``compile(outputs) -> Program``, and ``set_num_threads(n)`` if they use threads."""


@dataclass(frozen=True)
class Engine:
    """An engine under test.

    Attributes:
        name: what it is called.
        compile: its entry point.
        set_threads: how it is told the number of threads; ``None``: it has one.
    """

    name: str
    compile: Compile
    set_threads: Callable[[int], object] | None = None


def engine(name: str) -> Engine:
    """An engine by the name of its module, or a variant of the reference (``variants``, ``faults``).

    Raises:
        ValueError: there is none of that name.
    """
    if name in ENGINES:
        module = importlib.import_module(ENGINES[name])
        return Engine(name, module.compile, getattr(module, "set_num_threads", None))
    from zerograd.engines.checking.faults import DEADLY, FAULTS
    from zerograd.engines.checking.variants import SOUND

    known: dict[str, Compile] = {**SOUND, **FAULTS, **DEADLY}
    if name not in known:
        raise ValueError(f"there is no engine {name!r}; there are: {', '.join([*ENGINES, *known])}")
    return Engine(name, known[name])


def faults_of(
    expectation: Expectation, engine: Engine, threads: Sequence[int] = (1,), relaid: int | None = None
) -> list[str]:
    """Everything that an engine does wrong with a trial; empty if nothing.

    Args:
        threads: every number of threads has to give the same bits.
        relaid: a seed; the compiled program also gets the same data lying in memory in another way.
    """
    leaves = expectation.trial.leaves
    before = [np.array(one) for one in leaves]
    found: list[str] = []
    first: list[Array] | None = None
    programs: list[Program] = []
    try:
        for number in threads:
            if engine.set_threads is not None:
                engine.set_threads(number)
            program = engine.compile(expectation.trial.outputs)
            programs.append(program)
            results = program(leaves)
            kept = [np.array(one) for one in results]
            if first is None:
                first = kept
                found += expectation.differences(results)
            else:
                found += _changed(f"with {number} threads instead of {threads[0]}", first, results)
            again = program(leaves)
            found += _changed("in a second run", kept, again)
            found += _changed("while a second run was made", kept, results)
        if relaid is not None and not found:
            moved = expectation.differences(programs[-1](_relaid(leaves, relaid)))
            found += [f"with its data in another layout, {one}" for one in moved]
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
    written = _changed("in a leaf", before, [np.asarray(one) for one in leaves])
    if written:
        _restore(leaves, before)
    return found + written


def _restore(leaves: Sequence[Any], values: Sequence[Array]) -> None:
    """Undo what an engine has done to the data, so that the trial can be made again."""
    for one, value in zip(leaves, values, strict=True):
        if isinstance(one, np.ndarray) and one.flags.writeable:
            one[...] = value


def _relaid(leaves: Sequence[Any], seed: int) -> list[Any]:
    draw = Draw((0x1A1D, seed))
    return [draw.laid(np.array(one)) if isinstance(one, np.ndarray) else one for one in leaves]


def _changed(when: str, wanted: Sequence[Array], got: Sequence[Array]) -> list[str]:
    return [
        f"{when}, result {place} has other bits"
        for place, (a, b) in enumerate(zip(wanted, got, strict=True))
        if a.shape != b.shape or not agreeing(a, b, None).all()
    ]
