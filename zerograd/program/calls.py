"""When a function runs as it is, when it is watched, and when its program is replayed."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

from zerograd import dtypes
from zerograd.ir import interrupts
from zerograd.ir.graph import TensorType
from zerograd.ir.record import Recorder, local, recorder
from zerograd.ir.trace import Trace
from zerograd.program.arguments import Arguments
from zerograd.program.bindings import Doubt
from zerograd.program.capture import Part, Record, captured
from zerograd.program.compare import difference
from zerograd.program.program import Program
from zerograd.program.surroundings import Surroundings
from zerograd.runtime.realize import launch
from zerograd.runtime.structure import structure
from zerograd.shapes import Shape
from zerograd.tensor.tensor import Tensor

MOST_RUNS = 8  # watched runs in a row that gave no program, before a function is left alone
MOST_PROGRAMS = 8  # for the same arguments
MOST_KEYS = 48  # kinds of arguments of one function


class Compiled:
    """A function and its programs.

    Attributes:
        programs: by the key of the arguments and the modes.
        records: of the last watched run, where that gave no program.
        runs: how many watched runs there have been since the last replay.
        quick: the program replayed last, its modes and what its arguments are like, where these are simple tensors.
        is_part: with gradients on, a call is in the middle of a step.
        reason: why nothing is captured any more.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.programs: dict[Any, list[Program]] = {}
        self.records: dict[Any, Record] = {}
        self.runs: dict[Any, int] = {}
        self.reason: str | None = None
        self.is_part = False
        self.quick: tuple[Program, Any, list[Any]] | None = None
        self.lock = threading.RLock()

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            own = local.own
        except AttributeError:
            own = recorder.own
        trace = own.trace
        if (self.is_part and own.grad_enabled) or self.reason is not None or own.depth or own.exact_lines:
            return self.function(*args, **kwargs)
        if trace.watch is not None or (trace.arrivals and _in_the_middle(trace)):
            return self.function(*args, **kwargs)
        if not self.lock.acquire(False):
            return self.function(*args, **kwargs)
        try:
            modes = own.grad_enabled, own.inference, own.autocast, dtypes.get_default_dtype()
            quick = self.quick
            if (
                quick is not None
                and not kwargs
                and quick[1] == modes
                and (_fit(args, quick[2]) if args else not quick[2])
            ):
                try:
                    result = quick[0].replay(own, args)
                except Doubt:
                    self.quick = None
                else:
                    if interrupts.pending:
                        interrupts.deliver()
                    return result
            return self._call(own, modes, args, kwargs)
        finally:
            self.lock.release()

    def _call(self, own: Recorder, modes: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = Arguments(args, kwargs)
        if given.traced:
            return self.function(*args, **kwargs)
        key = (given.key, *modes)
        for program in self.programs.get(key, ()):
            try:
                result = program.replay(own, given.tensors)
            except Doubt:
                continue
            if interrupts.pending:
                interrupts.deliver()
            self.runs[key] = 0
            kinds = [Fit.of(one) for one in args] if not kwargs and len(args) == len(given.tensors) else [None]
            if all(kinds):
                self.quick = program, modes, kinds
            return result
        return self._run(key, given, args, kwargs)

    def _run(self, key: Any, given: Arguments, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the body, watched."""
        if len(self.runs) >= MOST_KEYS and key not in self.runs:
            self._give_up("its arguments have other shapes, or other values, in every call")
            return self.function(*args, **kwargs)
        launch()
        known = self.programs.get(key, [])
        before = self.records.pop(key, None) or (known[0].record if known else None)
        around = Surroundings(self.function, given.objects)
        result, found = captured(self.function, args, kwargs, given, before)
        if isinstance(found, Part):
            self.is_part = True
            return result
        reason = found if isinstance(found, str) else None
        if around.reads_on is not None:
            reason = f"it can see the iterator {around.reads_on}, and nobody knows what that gives next"
        reason = reason or around.changed()
        if reason is None and isinstance(found, Record):
            launch()
            around.structure = structure.changes
            reason = self._judge(key, before, found, around)
        if reason is not None:
            self.runs[key] = self.runs.get(key, 0) + 1
            if self.runs[key] >= MOST_RUNS:
                self._give_up(reason)
        return result

    def _judge(self, key: Any, before: Record | None, record: Record, around: Surroundings) -> str | None:
        """Make a program of two runs that did the same, or find that there is one; else say why not."""
        if not record.gradients.complete or before is None:
            self.records[key] = record
            return "it touches other gradients in every call"
        programs = self.programs.setdefault(key, [])
        for program in programs:
            if difference(program.record, record) is None:
                program.around = around
                freed = program.free(record)
                programs.remove(program)
                programs.insert(0, program)
                return None if freed else "something that it can see has changed before every call"
        reason = difference(before, record)
        if reason is not None:
            self.records[key] = record
            return reason
        programs.insert(0, Program(record, before, around))
        del programs[MOST_PROGRAMS:]
        self.runs[key] = 0
        return None

    def _give_up(self, reason: str) -> None:
        """Let the function run as it is from now on, and say so."""
        self.reason = reason
        self.programs.clear()
        self.quick = None
        self.records.clear()
        name = getattr(self.function, "__qualname__", repr(self.function))
        warnings.warn(f"torch.compile runs {name} as it is: {reason}", UserWarning, stacklevel=6)


class Fit(NamedTuple):
    """What a tensor among the arguments must be like, so that nothing else about it matters but its data.

    Attributes:
        whole: the type of its storage, all of which it shows, in order; ``None``: it shows a part of some storage.
        part, strides: then its type and strides.
    """

    whole: TensorType | None
    part: TensorType | None = None
    strides: Shape = ()

    @classmethod
    def of(cls, tensor: Any) -> Fit | None:
        """What describes this tensor, if it is that simple."""
        if tensor.__class__ is not Tensor or tensor._tracked():
            return None
        fit = cls(tensor._storage.type) if tensor._plain else cls(None, tensor._type, tensor._laid_out().strides)
        return fit if fit.fits(tensor) else None

    def fits(self, tensor: Any) -> bool:
        storage = tensor._storage
        if self.whole is not None:
            return tensor._plain and storage.type is self.whole and storage.strides is None
        steps = tensor._steps  # the part is bound, and no step of the program: see ``arguments.steps_of_data``
        base = tensor._base
        if tensor._view_type is not self.part or len(steps) != 1 or not steps[0].moves or tensor._detached:
            return False
        plain = base is not None and base._plain and tensor._leaf is None and tensor._own is None
        return plain and tensor._layout.strides == self.strides


def _fit(args: tuple[Any, ...], kinds: Sequence[Fit]) -> bool:
    """Whether the arguments are tensors like these without history, each with memory of its own."""
    if not args or len(args) != len(kinds):
        return len(args) == len(kinds)
    met: list[Any] = []
    for tensor, kind in zip(args, kinds, strict=True):
        if tensor.__class__ is not Tensor or not kind.fits(tensor):
            return False
        storage = tensor._storage
        if storage in met or storage.history is not None or (storage.buffer is None and storage.node.tracked):
            return False
        met.append(storage)
    return True


def _in_the_middle(trace: Trace) -> bool:
    """Whether a step is under way: gradients wait for an optimizer."""
    return not trace.finished_step and any(getrefcount(one) > 3 for one in trace.arrivals)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, captured and replayed where that can be done."""
    state = Compiled(function)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return state.call(args, kwargs)

    run._torchdynamo_orig_callable = function  # pyright: ignore[reportAttributeAccessIssue]
    run._compiled = state  # pyright: ignore[reportAttributeAccessIssue]
    return run
