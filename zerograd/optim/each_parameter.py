"""From a rule for one parameter to one remembered call for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd.tensor.door import remembered
from zerograd.tensor.functions.complex_numbers import view_as_complex, view_as_real
from zerograd.tensor.tensor import Tensor

Number = float | Tensor
Single = Callable[..., tuple[Tensor | None, ...]]
Switches = tuple[tuple[str, Any], ...]


def for_each_parameter(states: int) -> Callable[[Single], Any]:
    """Makes `update(p, g, *state, *numbers, **switches) -> (p, *state)` work on lists of parameters.

    Complex parameters are updated as pairs of real numbers. Results get the dtype of what they replace.

    Args:
        states: how many state tensors the function takes and returns; one may be None for all parameters.
    Returns:
        A remembered function `(params, grads, vectors, values, *columns, *numbers, switches, in_place)`; besides
        the update it fills each vector with its value. With `in_place` its results are those for `into`.
    """

    def decorate(single: Single) -> Any:
        @remembered
        def update(
            params: list[Tensor],
            grads: list[Tensor],
            vectors: list[Tensor],
            values: list[Tensor],
            *rest: Any,
            switches: Switches,
            in_place: bool,
        ) -> Any:
            columns = [params, *rest[:states]]
            rows = zip(params, grads, *(column or [None] * len(params) for column in columns[1:]), strict=True)
            results = [_update_one(single, row, rest[states:], dict(switches)) for row in rows]
            new = [None if column[0] is None else list(column) for column in zip(*results, strict=True)]
            shown = [vector * 0 + value for vector, value in zip(vectors, values, strict=True)]
            if not in_place:
                return [*new, shown]
            kept = [column for column, old in zip(new, columns, strict=True) if old is not None]
            return [x for column in (*kept, shown) for x in column or ()]

        return update

    return decorate


def _update_one(
    single: Single, old: tuple[Tensor | None, ...], numbers: Sequence[Number], switches: dict[str, Any]
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
