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

from zerograd import dtypes, errors
from zerograd.autograd.grad_mode import enable_grad, no_grad
from zerograd.optim.counters import Counters, Row
from zerograd.optim.optimizer import Group, Optimizer, ParamsT
from zerograd.tensor.door import assign, remembered
from zerograd.tensor.functions.complex_numbers import view_as_complex, view_as_real
from zerograd.tensor.tensor import Tensor

Number = float | Tensor
States = dict[str, Tensor | None]


class Situation(NamedTuple):
    """What parameters that are updated in one call have in common.

    Attributes:
        numbers: their counters by name, which `schedule` moves on.
        round: a number as the tensor that shows it holds it.
        incomplete: the update will make state tensors that are not there yet.
    """

    numbers: dict[str, float]
    round: Callable[[float], float]
    incomplete: bool


class Cohort(NamedTuple):
    """Parameters of one group in the same situation: their positions in the group, gradients and states."""

    situation: Situation
    indices: list[int]
    params: list[Tensor]
    grads: list[Tensor]
    states: list[dict[str, Any]]


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
        self._counters: dict[int, Counters] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._counters = {}
        super().__setstate__(state)
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def init_single(self, param: Tensor, group: Group) -> States:
        """The state of a parameter before its first step, by name, in the order of `names`."""
        raise NotImplementedError

    def init_counters(self, group: Group) -> dict[str, float]:
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

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes each parameter that has a gradient once.

        Args:
            closure: computes the loss and its gradients anew; called with gradients enabled.
        Returns:
            The loss of the closure, None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for number, group in enumerate(self.param_groups):
            counters = self._counters_of(number, group)
            cohorts = self._cohorts(group, counters)
            for cohort in cohorts:
                numbers, switches = self.schedule(group, cohort.situation)
                self._apply(cohort, numbers, switches)
                counters.set(cohort.indices, cohort.situation.numbers)
            if cohorts:
                counters.show()
        return loss

    def _counters_of(self, number: int, group: Group) -> Counters:
        counters = self._counters.get(number)
        if counters is None or not counters.belongs_to(group["params"]):
            wide = dtypes.get_default_dtype() is dtypes.float64 and not group.get("fused")
            dtype = dtypes.float64 if wide else dtypes.float32
            counters = Counters(group["params"], self.init_counters(group), dtype)
            self._counters[number] = counters
        counters.reread()
        return counters

    def _cohorts(self, group: Group, counters: Counters) -> list[Cohort]:
        """The parameters that have a gradient, together where they are in the same situation."""
        has_state = self.has_state(group)
        names, made = self.names, self.made_by_update(group)
        ready: list[tuple[int, Tensor, Tensor, dict[str, Any]]] = []
        for index, param in enumerate(group["params"]):
            grad = param.grad
            if grad is None:
                continue
            self.check_single(param, grad)
            state = self.state[param] if has_state else {}
            if not state:
                self._begin(index, param, group, counters)
            else:
                counters.adopt(index, state)
            ready.append((index, param, grad, state))
        rows = counters.rows()
        cohorts: dict[tuple[Row, tuple[bool, ...]], Cohort] = {}
        for index, param, grad, state in ready:
            row = rows[index] if rows else ()
            present = tuple([state.get(name) is not None for name in names])
            cohort = cohorts.get((row, present))
            if cohort is None:
                missing = any(state.get(name) is None for name in made)
                situation = Situation(dict(zip(counters.names, row, strict=True)), counters.round, missing)
                cohort = cohorts[row, present] = Cohort(situation, [], [], [], [])
            cohort.indices.append(index)
            cohort.params.append(param)
            cohort.grads.append(grad)
            cohort.states.append(state)
        return list(cohorts.values())

    def _begin(self, index: int, param: Tensor, group: Group, counters: Counters) -> None:
        """Gives a parameter its first state."""
        if self.has_state(group):
            counters.begin(index, self.state[param], self.init_counters(group))
            self.state[param].update(self.init_single(param, group))

    def begin(self) -> None:
        """Gives all parameters their first state, which others get in their first step."""
        for number, group in enumerate(self.param_groups):
            counters = self._counters_of(number, group)
            for index, param in enumerate(group["params"]):
                self._begin(index, param, group, counters)

    def _apply(self, cohort: Cohort, numbers: Sequence[Number], switches: dict[str, Any]) -> None:
        """One remembered call for the whole cohort; writes what it returns."""
        columns = [_column(cohort.states, name) for name in self.names]
        operands = (cohort.params, cohort.grads, *columns, *numbers)
        update = type(self).update
        if not cohort.situation.incomplete:
            targets = [x for column in (cohort.params, *columns) if column is not None for x in column]
            update.into(targets, *operands, switches=tuple(switches.items()), in_place=True)
            return
        results = update(*operands, switches=tuple(switches.items()), in_place=False)
        for param, new in zip(cohort.params, results[0], strict=True):
            assign(param, new)
        for name, column, news in zip(self.names, columns, results[1:], strict=True):
            for position, new in enumerate(news or ()):
                if column is None:
                    cohort.states[position][name] = new
                else:
                    assign(column[position], new)


def _column(states: list[dict[str, Any]], name: str) -> list[Tensor] | None:
    """One state tensor of every parameter; None if they have none."""
    column = [state.get(name) for state in states]
    return None if column[0] is None else column


def for_each_parameter(states: int) -> Callable[[Callable[..., tuple[Tensor | None, ...]]], Any]:
    """Makes `update(p, g, *state, *numbers, **switches) -> (p, *state)` work on lists of parameters.

    Complex parameters are updated as pairs of real numbers. Results get the dtype of what they replace.

    Args:
        states: how many state tensors the function takes and returns; one may be None for all parameters.
    """

    def decorate(single: Callable[..., tuple[Tensor | None, ...]]) -> Any:
        @remembered
        def update(
            params: list[Tensor],
            grads: list[Tensor],
            *rest: Any,
            switches: tuple[tuple[str, Any], ...],
            in_place: bool,
        ) -> Any:
            columns = [params, *rest[:states]]
            rows = zip(
                params, grads, *(column or [None] * len(params) for column in columns[1:]), strict=True
            )
            results = [_update_one(single, row, rest[states:], dict(switches)) for row in rows]
            new = list(zip(*results, strict=True))
            if not in_place:
                return [None if column[0] is None else list(column) for column in new]
            return [x for column, old in zip(new, columns, strict=True) if old is not None for x in column]

        return update

    return decorate


def _update_one(
    single: Callable[..., tuple[Tensor | None, ...]],
    old: tuple[Tensor | None, ...],
    numbers: Sequence[Number],
    switches: dict[str, Any],
) -> tuple[Tensor | None, ...]:
    param, _, *states = old
    assert param is not None
    if not param.is_complex():
        new = single(*old, *numbers, **switches)
    else:
        real = [None if tensor is None else view_as_real(tensor) for tensor in old]
        new = [None if x is None else view_as_complex(x) for x in single(*real, *numbers, **switches)]
    return tuple(
        value if value is None or before is None or value.dtype == before.dtype else value.to(before.dtype)
        for before, value in zip((param, *states), new, strict=True)
    )
