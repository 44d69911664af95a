"""Whether two runs of a function have done the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

from zerograd.program.capture import Record
from zerograd.program.origins import Constant
from zerograd.program.watch import Action, Draw, OptimizerStep, same_value

Event = Draw | OptimizerStep | Action


def difference(one: Record, other: Record) -> str | None:
    """What differs between two runs, in words; ``None``: nothing, so both are the same program."""
    found = _constants(one, other) or _events(one, other)
    if found is not None:
        return found
    for said, what in _SAYINGS.items():
        if what(one) != what(other):
            return said
    return None


_SAYINGS: dict[str, Callable[[Record], Any]] = {
    "it computes with other tensors in every call": lambda run: run.origins,
    "it changes other tensors in every call, or changes them in another way": lambda run: (run.packs, run.storages),
    "it differentiates with respect to other tensors in every call": lambda run: list(map(id, run.gradients.tensors)),
    "it finds or leaves other gradients in every call": lambda run: (run.gradients.needs, run.gradients.leaves),
    "it returns something else in every call": lambda run: (run.made, run.result),
}


def _constants(one: Record, other: Record) -> str | None:
    if len(one.origins) != len(other.origins):
        return "it does not do the same in every call"
    for slot, (before, after) in enumerate(zip(one.origins, other.origins, strict=True)):
        if isinstance(before, Constant) and isinstance(after, Constant) and before != after:
            line = other.lines.get(slot)
            if line is None:
                return f"it makes {after} that differs from call to call; make it outside, and pass it as an argument"
            return (
                f"the number {before} has become {after} ({line}), and a replay could not know the next one;"
                " keep it in a tensor, or pass it as an argument"
            )
    return None


def _events(one: Record, other: Record) -> str | None:
    if len(one.events) != len(other.events) or not all(map(_same_event, one.events, other.events)):
        return "it draws other random numbers, or takes other optimizer steps, in every call"
    return None


def _same_event(one: Event, other: Event) -> bool:
    if isinstance(one, Draw) and isinstance(other, Draw):
        same_kind = one.array.shape == other.array.shape and one.array.dtype == other.array.dtype
        return same_kind and same_function(one.again, other.again)
    if isinstance(one, OptimizerStep) and isinstance(other, OptimizerStep):
        same_owner = one.step.optimizer is other.step.optimizer and one.step.cohort is other.step.cohort
        return same_owner and one.step.switches == other.step.switches and one.slots == other.slots
    return isinstance(one, Action) and isinstance(other, Action) and same_function(one.again, other.again)


def same_function(one: Any, other: Any) -> bool:
    """Whether two functions are the same code over the same values."""
    if one is other or same_value(one, other):
        return True
    if isinstance(one, partial) and isinstance(other, partial):
        return same_function(one.func, other.func) and same_value(one.args, other.args)
    if not isinstance(one, FunctionType) or not isinstance(other, FunctionType):
        return False
    return one.__code__ is other.__code__ and all(map(same_function, _held(one), _held(other)))


def _held(function: FunctionType) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]
