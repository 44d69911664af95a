"""``vmap``: a function of one element, applied to each element of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.random import get_rng_state, set_rng_state
from zerograd.tensor.functions.creation import zeros
from zerograd.tensor.functions.joining import stack
from zerograd.tensor.tensor import Tensor
from zerograd.utils._pytree import (
    TreeSpec, _broadcast_to_and_flatten, tree_flatten, tree_unflatten,
)  # fmt: skip

RANDOMNESS = ("error", "different", "same")


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that applies ``func`` to each element along a dimension, and stacks what comes out.

    Args:
        in_dims: along which dimension of each argument; ``None``: the same argument every time. One for all, or
            nested as the arguments are.
        out_dims: where the new dimension stands in each result.
        randomness: "error": ``func`` must not draw random numbers; "same": the same ones every time; "different".
        chunk_size: accepted; elements are taken one by one.
    Raises:
        ValueError: dimensions that do not fit the arguments, or results that are no tensors.
        RuntimeError: random numbers were drawn although ``randomness`` is "error".
    Source: torch.vmap.
    """
    if randomness not in RANDOMNESS:
        raise errors.runtime(f"vmap has no randomness {randomness!r}; there are {', '.join(RANDOMNESS)}")
    if chunk_size is not None and chunk_size <= 0:
        raise errors.value(f"chunk_size must be at least 1, got {chunk_size}")

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = tree_flatten(args)
        dims = _input_dims(in_dims, leaves, spec)
        size = _batch_size(leaves, dims)
        state = get_rng_state() if randomness != "different" else None
        rows = []
        for place in range(size):
            if randomness == "same" and state is not None:
                set_rng_state(state)
            rows.append(_call(func, leaves, dims, spec, kwargs, place))
        if randomness == "error" and state is not None and not get_rng_state().equal(state):
            raise errors.runtime(
                "the function given to vmap drew random numbers",
                hint='randomness="different" (or "same") says what is meant',
            )
        if not size:  # the shapes of the results are known from a call on zeros
            return _joined([_call(func, leaves, dims, spec, kwargs, None)], out_dims, empty=True)
        return _joined(rows, out_dims, empty=False)

    return batched


def _input_dims(in_dims: Any, leaves: list[Any], spec: TreeSpec) -> list[int | None]:
    if not isinstance(in_dims, int | tuple | list):
        raise errors.value(f"in_dims must be a whole number, or a tuple nested as the arguments, got {in_dims!r}")
    if not leaves:
        raise errors.value("vmap needs arguments to map over")
    fitting = list(in_dims) if spec.type is list and not isinstance(in_dims, int) else in_dims
    found = _broadcast_to_and_flatten(fitting, spec)
    if found is None:
        raise errors.value(f"in_dims={in_dims} is not nested as the arguments are: {spec}")
    for dim, one in zip(found, leaves, strict=True):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise errors.value(f"in_dims holds whole numbers and None, got {dim!r}")
        if not isinstance(one, Tensor):
            raise errors.value(f"vmap maps over tensors, and in_dims={dim} stands for a {type(one).__name__}; use None")
        if not -one.dim() <= dim < one.dim():
            raise errors.value(f"in_dims={dim} is out of range for a tensor of {one.dim()} dimensions")
    return found


def _batch_size(leaves: list[Any], dims: list[int | None]) -> int:
    sizes = {one.shape[dim] for one, dim in zip(leaves, dims, strict=True) if dim is not None}
    if not sizes:
        raise errors.value("vmap needs at least one argument to map over; in_dims is None for all of them")
    if len(sizes) > 1:
        raise errors.value(f"the arguments have different sizes along the dimensions to map over: {sorted(sizes)}")
    return sizes.pop()


def _call(
    func: Callable[..., Any], leaves: list[Any], dims: list[int | None], spec: TreeSpec, kwargs: Any, place: int | None
) -> tuple[list[Any], TreeSpec]:
    """The function on the elements at ``place``, or on zeros of their shape."""
    given = []
    for one, dim in zip(leaves, dims, strict=True):
        if dim is None:
            given.append(one)
        elif place is None:
            shape = list(one.shape)
            del shape[dim]
            given.append(zeros(shape, dtype=one.dtype))
        else:
            given.append(one.select(dim, place))
    results, out_spec = tree_flatten(func(*tree_unflatten(given, spec), **kwargs))
    return results, out_spec


def _joined(rows: list[tuple[list[Any], TreeSpec]], out_dims: Any, empty: bool) -> Any:
    spec = rows[0][1]
    dims = _broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise errors.value(f"out_dims={out_dims} is not nested as the results are: {spec}")
    joined = []
    for column, dim in zip(zip(*[one for one, _ in rows], strict=True), dims, strict=True):
        if dim is None:
            joined.append(column[0])
            continue
        if not isinstance(column[0], Tensor):
            raise errors.value(
                f"the function given to vmap must return Tensors, got {type(column[0]).__name__}",
                hint="out_dims=None takes a result as it is",
            )
        whole = stack(column, dim)
        joined.append(whole.narrow(dim, 0, 0) if empty else whole)
    return tree_unflatten(joined, spec)
