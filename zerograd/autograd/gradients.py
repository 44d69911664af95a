"""``torch.autograd.grad`` and ``torch.autograd.backward``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd import errors
from zerograd.runtime import realize
from zerograd.tape import backward as tape
from zerograd.tensor import gradients
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.creation import zeros_like


def _sequence(one_or_more: Any) -> tuple[Any, ...]:
    return (one_or_more,) if isinstance(one_or_more, TensorBase) else tuple(one_or_more)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of the sum of ``tensors`` to ``.grad`` of the leaves.

    Args:
        grad_tensors: the gradient with respect to each tensor; may be omitted for scalars.
        inputs: accumulate into these tensors only.
    Source: torch.autograd.backward.
    """
    grads = grad_variables if grad_tensors is None else grad_tensors
    gradients.backward(
        _sequence(tensors), None if grads is None else _sequence(grads), retain_graph, create_graph, inputs
    )


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of ``outputs`` with respect to ``inputs``, without touching any ``.grad``.

    Args:
        grad_outputs: the gradient with respect to each output; may be omitted for scalars.
        create_graph: record the computation of the gradients, so that they have gradients.
        allow_unused: return ``None`` for an input that the outputs do not depend on, instead of an error.
        is_grads_batched: ``grad_outputs`` have a leading batch dimension; gradients of each are stacked.
        materialize_grads: zeros in the place of ``None``.
    Raises:
        RuntimeError: an input is unused, or has no history.
    Source: torch.autograd.grad.
    """
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    grads: Sequence[Any] | None = None if grad_outputs is None else _sequence(grad_outputs)
    if materialize_grads and allow_unused is False:
        raise errors.value("materialize_grads=True needs allow_unused=True (or nothing), got False")
    if is_grads_batched:
        return _batched(outputs, inputs, grads, retain_graph, create_graph, allow_unused, materialize_grads)
    if not inputs:
        raise errors.runtime("grad() needs at least one input")
    realize.begin_backward()
    roots, seeds = gradients.roots_and_seeds(outputs, grads)
    targets = [gradients.target_of(tensor) for tensor in inputs]
    retain = create_graph if retain_graph is None else retain_graph
    found = tape.run(
        roots, seeds, retain_graph=retain, create_graph=create_graph, targets=targets, watchers=gradients.watchers()
    )
    results: list[Any] = []
    for i, (tensor, target) in enumerate(zip(inputs, targets, strict=True)):
        value = found.get(target)
        if value is not None:
            results.append(TensorBase.of_value(value))
        elif materialize_grads:
            results.append(zeros_like(tensor))
        elif allow_unused:
            results.append(None)
        else:
            raise errors.runtime(
                "an input was not used to compute the outputs, so it has no gradient",
                input=f"number {i}, {tensor._type}",
                hint="allow_unused=True returns None for it",
            )
    return tuple(results)


def _batched(
    outputs: Any, inputs: Any, grads: Any, retain: Any, create_graph: bool, allow_unused: Any, materialize: bool
) -> tuple[Any, ...]:
    from zerograd.tensor.functions.joining import stack

    if grads is None:
        raise errors.runtime("is_grads_batched=True needs grad_outputs with a leading batch dimension")
    count = next(one._shape[0] for one in grads if one is not None)
    rows = [
        grad(
            outputs, inputs, [None if one is None else one[i] for one in grads],
            retain_graph=True if i + 1 < count else retain, create_graph=create_graph, allow_unused=allow_unused,
            materialize_grads=materialize,
        )
        for i in range(count)
    ]  # fmt: skip
    return tuple(None if column[0] is None else stack(list(column)) for column in zip(*rows, strict=True))
