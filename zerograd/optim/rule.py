"""How a rule for one parameter becomes an optimizer.

A rule file says three things: which tensors the rule carries from step to step (`init_single`), which
numbers it needs in a step (`schedule`, ordinary Python), and what it does to one parameter (`update`, a pure
function of tensors). Everything else is here: all parameters of a group that are in the same situation are
updated in one remembered call, in which the numbers are inputs, so a changing learning rate records nothing
new. In `update` numbers meet tensors only: `1 - beta` belongs in `schedule`, which computes in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.record import grad_mode, recorder
from zerograd.optim.again import Begun
from zerograd.optim.cohort import Cohort, Grouping, Numbers
from zerograd.optim.each_parameter import Number, Switches
from zerograd.optim.each_parameter import for_each_parameter as for_each_parameter
from zerograd.optim.optimizer import Group, Optimizer, ParamsT, loss_of
from zerograd.tensor.door import assign
from zerograd.tensor.leaf import Arrived, arrived_together
from zerograd.tensor.pack import Pack
from zerograd.tensor.tensor import Tensor

States = dict[str, Tensor | None]


class Situation:
    """What parameters that are updated in one call have in common.

    Attributes:
        numbers: their counters by name, which `schedule` moves on.
        round: a number as the tensor that shows it holds it.
    """

    __slots__ = ("numbers", "round")

    def __init__(self, numbers: Numbers, round: Callable[[float], float]) -> None:
        self.numbers = numbers
        self.round = round


class Step(NamedTuple):
    """One call of `update`, as it was done.

    Attributes:
        switches: what `schedule` gave beside the numbers.
    """

    optimizer: Rule
    group: Group
    cohort: Cohort
    switches: Switches


class Rule(Optimizer):
    """An optimizer made of one rule per parameter.

    A subclass gives `names`, `update`, `init_single` and `schedule`, and where its counters are others than a
    step count, `init_counters`.

    Attributes:
        names: the state tensors, in the order in which `update` takes and returns them.
        update: what `for_each_parameter` made of the rule.
    """

    names: ClassVar[tuple[str, ...]] = ()
    update: ClassVar[Callable[..., Any]]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._groupings: dict[int, Grouping] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._groupings = {}
        super().__setstate__(state)
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    # --- what a rule says ------------------------------------------------------------------------

    def init_single(self, param: Tensor, group: Group) -> States:
        """The state of a parameter before its first step, by name, in the order of `names`."""
        raise NotImplementedError

    def init_counters(self, group: Group) -> Numbers:
        """The numbers that a parameter has before its first step; {} if the rule counts nothing."""
        return {"step": 0.0}

    def schedule(self, group: Group, situation: Situation) -> tuple[tuple[Number, ...], dict[str, Any]]:
        """Moves the counters on; returns the numbers and the switches of this step for `update`."""
        raise NotImplementedError

    def made_by_update(self, group: Group) -> tuple[str, ...]:
        """The state tensors that `update` returns even if it is given None for them."""
        return ()

    def has_state(self, group: Group) -> bool:
        """Whether parameters of this group carry anything from step to step."""
        return True

    def check_single(self, param: Tensor, grad: Tensor) -> None:
        """Raises if the rule cannot update this parameter with this gradient."""
        if grad.is_sparse:
            raise errors.runtime(f"{type(self).__name__} does not support sparse gradients")

    # --- the step --------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes each parameter that has a gradient once.

        Args:
            closure: computes the loss and its gradients anew; called with gradients enabled.
        Returns:
            The loss of the closure, None without one.
        """
        loss = loss_of(closure)
        with grad_mode(False):
            self._step()
        return loss

    def _step(self) -> None:
        for number, group in enumerate(self.param_groups):
            params = group["params"]
            grads = [param._grad for param in params]
            arrived = arrived_together(grads)
            if arrived is None:
                params = [param for param, grad in zip(params, grads, strict=True) if grad is not None]
            grouping = self._groupings.get(number)
            if grouping is None or not grouping.is_current(params, self.state):
                grads = [param.grad for param in params]
                grouping = self._groupings[number] = self._grouped(group, params, grads, grouping)
                arrived = None
            for cohort in grouping.cohorts:
                self._apply(group, cohort, arrived)

    def _grouped(
        self, group: Group, params: list[Tensor], grads: Sequence[Tensor], before: Grouping | None
    ) -> Grouping:
        """The parameters together that are in the same situation; new ones get their state."""
        dtype = self._dtype_of_counters(group)
        has_state = self.has_state(group)
        cohorts: dict[tuple[Any, ...], Cohort] = {}
        for param, grad in zip(params, grads, strict=True):
            self.check_single(param, grad)
            state = self.state[param] if has_state else {}
            numbers = {name: _rounded(x, dtype) for name, x in self._numbers_of(state, group, before).items()}
            if has_state and not state:
                state.update(dict.fromkeys(numbers))  # counters come first, as in PyTorch
                state.update(self.init_single(param, group))
            present = tuple(name for name in self.names if state.get(name) is not None)
            new = Cohort(numbers, present, has_state=has_state)
            cohort = cohorts.setdefault((*numbers.values(), present), new)
            cohort.params.append(param)
            cohort.states.append(state)
        for cohort in cohorts.values():
            cohort.show(dtype)
        return Grouping(params, list(cohorts.values()))

    def _dtype_of_counters(self, group: Group) -> dtypes.dtype:
        wide = dtypes.get_default_dtype() is dtypes.float64 and not group.get("fused")
        return dtypes.float64 if wide else dtypes.float32

    def _numbers_of(self, state: dict[str, Any], group: Group, before: Grouping | None) -> Numbers:
        """The counters of a parameter: known, read from its state, or those before the first step."""
        initial = self.init_counters(group)
        if not state or not initial:
            return initial
        for cohort in before.cohorts if before is not None else ():
            known = cohort.numbers_of(state)
            if known is not None:
                return known
        return {name: float(state[name]) for name in initial}

    def begin(self) -> None:
        """Gives all parameters their first state, which others get in their first step."""
        for number, group in enumerate(self.param_groups):
            params = group["params"]
            self._groupings[number] = self._grouped(group, params, params, None)

    def scheduled(self, group: Group, cohort: Cohort) -> tuple[Numbers, tuple[Number, ...], Switches]:
        """The counters after the next step of a cohort, its numbers, and its switches."""
        numbers = cohort.numbers.copy()
        rounded = _ROUNDED[self._dtype_of_counters(group)]
        operands, switches = self.schedule(group, Situation(numbers, rounded))
        for name, value in numbers.items():
            numbers[name] = rounded(value)
        return numbers, operands, tuple(switches.items())

    def _apply(self, group: Group, cohort: Cohort, arrived: Arrived | None) -> None:
        """One remembered call for the whole cohort, written in place; ``arrived`` holds its gradients, or they do."""
        own = recorder.own
        watch = own.trace.watch
        if watch is not None:
            watch.plans(group)
        numbers, operands, frozen = self.scheduled(group, cohort)
        values = list(numbers.values())
        first = len(own.trace.leaves)
        update: Any = type(self).update
        if all([name in cohort.present for name in self.made_by_update(group)]):  # noqa: C419  faster
            params, columns, targets = prepared = cohort.in_place(self.names)
            grads = cohort.gradients(arrived)
            if grads.__class__ is list and params.__class__ is Pack:
                params.read()  # they come first, as among the operands
                grads = tuple([grad._node() for grad in grads])
            begun = Begun(own, prepared, grads, (*values, *operands), frozen)
            if not cohort.repeats(own, begun):
                inputs = (params, grads, cohort.vectors, values, *columns, *operands)
                update.into(targets, *inputs, switches=frozen, in_place=True)
                cohort.note_step(own, begun, len(values))
            cohort.numbers = numbers
            cohort.note_versions()
            if watch is not None:
                watch.steps(Step(self, group, cohort, frozen), first, [*values, *operands])
            return
        columns = [cohort.column(name) for name in self.names]
        inputs = (cohort.params, cohort.gradients(None), cohort.vectors, values, *columns, *operands)
        first, *results, shown = update(*inputs, switches=frozen, in_place=False)
        _write(cohort.params, first)
        _write(cohort.vectors, shown)
        for name, column, new in zip(self.names, columns, results, strict=True):
            if column is not None:
                _write(column, new)
            else:
                for state, value in zip(cohort.states, new or (), strict=False):
                    state[name] = value
        cohort.numbers = numbers
        cohort.note_versions()
        cohort.present = tuple(name for name in self.names if cohort.states[0].get(name) is not None)
        cohort.note_states()


def _single(value: float) -> float:
    """As float32 holds it; what most counters are, a whole number below 2**24, it holds as it is."""
    exact = value.__class__ is float and -_EXACT < value < _EXACT and value.is_integer()
    return value if exact else float(np.float32(value))


_EXACT = 2.0**24
_ROUNDED: dict[dtypes.dtype, Callable[[float], float]] = {
    dtypes.float32: _single,
    dtypes.float64: float,
}
"""A number as a tensor of this dtype holds it."""


def _rounded(value: float, dtype: dtypes.dtype) -> float:
    """The value as a tensor of this dtype holds it."""
    return float(dtype.numpy.type(value))


def _write(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for target, value in zip(targets, values, strict=True):
        assign(target, value)
