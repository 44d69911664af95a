"""Jacobians, Hessians and products with them: ``torch.autograd.functional``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.autograd.gradients import grad
from zerograd.ir.record import grad_mode
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.creation import ones_like, zeros, zeros_like
from zerograd.tensor.functions.joining import stack


def _tuple(value: Any, what: str) -> tuple[bool, tuple[Any, ...]]:
    several = isinstance(value, tuple | list)
    values = tuple(value) if several else (value,)
    for i, one in enumerate(values):
        if not isinstance(one, TensorBase):
            raise errors.type_(
                f"{what}: tensors are needed, one or a tuple of them, but number {i} is a {type(one).__name__}"
            )
    return several, values


def _prepared(inputs: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    """Fresh tensors of the same values, so that gradients end here (or go on, with ``create_graph``)."""
    if create_graph:
        return tuple(one.view_as(one) if one.requires_grad else one.detach().requires_grad_() for one in inputs)
    return tuple(one.detach().requires_grad_() for one in inputs)


def _evaluate(func: Callable[..., Any], inputs: Any, create_graph: bool) -> tuple[Any, ...]:
    several, values = _tuple(inputs, "inputs")
    values = _prepared(values, create_graph)
    with grad_mode(True):
        result = func(*values)
    return several, values, *_tuple(result, "outputs of func")


def _grads(outputs: Any, inputs: Any, weights: Any, create_graph: bool, strict: bool) -> tuple[Any, ...]:
    pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    if strict and len(pairs) < len(outputs):
        raise errors.runtime("strict=True: one of the function's outputs does not depend on its inputs")
    if not pairs:
        return (None,) * len(inputs)
    with grad_mode(True):
        found = grad(
            [o for o, _ in pairs],
            inputs,
            [w for _, w in pairs],
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
    if strict and any(one is None for one in found):
        raise errors.runtime("strict=True: an output of the function does not depend on every input")
    return found


def _finished(values: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    return values if create_graph else tuple(one.detach() for one in values)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """d outputs / d inputs, each of shape output.shape + input.shape.

    Args:
        func: tensors -> a tensor or a tuple. create_graph: make the result differentiable.
        strict: an error instead of zeros where an output does not depend on an input.
        vectorize, strategy: accepted; they change nothing.
    Source: torch.autograd.functional.jacobian.
    """
    several_in, values, several_out, outputs = _evaluate(func, inputs, create_graph)
    rows: list[tuple[Any, ...]] = []
    for output in outputs:
        columns: list[list[Any]] = [[] for _ in values]
        for element in output.reshape(-1).unbind(0) if output._type.count else ():
            found = _grads((element,), values, (ones_like(element),), create_graph, strict)
            for column, value, one in zip(columns, values, found, strict=True):
                column.append(zeros_like(value) if one is None else one)
        rows.append(
            tuple(
                stack(column).reshape((*output._shape, *value._shape)) if column
                else zeros((*output._shape, *value._shape), dtype=output.dtype)
                for column, value in zip(columns, values, strict=True)
            )
        )  # fmt: skip
    rows = [_finished(row, create_graph) for row in rows]
    shaped = [row if several_in else row[0] for row in rows]
    return tuple(shaped) if several_out else shaped[0]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Second derivatives of a scalar function, for every pair of inputs.

    Source: torch.autograd.functional.hessian.
    """
    several, values = _tuple(inputs, "inputs")

    def gradient(*given: Any) -> tuple[Any, ...]:
        out = func(*given)
        _check_scalar(out, "hessian")
        found = _grads((out,), given, (ones_like(out),), True, strict)
        return tuple(zeros_like(x) if g is None else g for x, g in zip(given, found, strict=True))

    result = jacobian(gradient, tuple(values), create_graph=create_graph, strict=strict)
    return result if several else result[0][0]


def _check_scalar(output: Any, name: str) -> None:
    if not isinstance(output, TensorBase) or output._type.count != 1:
        got = output._type if isinstance(output, TensorBase) else type(output).__name__
        raise errors.runtime(f"The function given to {name} should return a single scalar Tensor", got=got)


def _weights(v: Any, like: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    if v is None:
        if len(like) != 1 or like[0]._type.count != 1:
            raise errors.runtime(f"v may be left out where the {what} is one number", hint="give a v of its shape")
        return (ones_like(like[0]),)
    _, weights = _tuple(v, "vector v")
    if len(weights) != len(like) or any(a._shape != b._shape for a, b in zip(weights, like, strict=True)):
        raise errors.runtime(
            f"v has the wrong size: it must match the {what}",
            v=", ".join(str(one._type) for one in weights),
            expected=", ".join(str(one._type) for one in like),
        )
    return weights


def _or_zeros(found: tuple[Any, ...], like: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(zeros_like(x) if g is None else g for x, g in zip(like, found, strict=True))


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(outputs, v^T J): the vector-Jacobian product. Source: torch.autograd.functional.vjp."""
    several_in, values, several_out, outputs = _evaluate(func, inputs, create_graph)
    found = _or_zeros(_grads(outputs, values, _weights(v, outputs, "output"), create_graph, strict), values)
    outputs, found = _finished(outputs, create_graph), _finished(found, create_graph)
    return outputs if several_out else outputs[0], found if several_in else found[0]


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(outputs, J v): the Jacobian-vector product, by differentiating v^T J with respect to its weights.

    Source: torch.autograd.functional.jvp.
    """
    _, values, several_out, outputs = _evaluate(func, inputs, create_graph)
    weights = _weights(v, values, "input")
    with grad_mode(True):
        dummies = tuple(zeros_like(one).requires_grad_() for one in outputs)
        found = _or_zeros(_grads(outputs, values, dummies, True, strict), values)
        products = _or_zeros(_grads(found, dummies, weights, create_graph, False), outputs)
    outputs, products = _finished(outputs, create_graph), _finished(products, create_graph)
    return (outputs, products) if several_out else (outputs[0], products[0])


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(output, v^T H) of a scalar function. Source: torch.autograd.functional.vhp."""
    several, values, _, outputs = _evaluate(func, inputs, create_graph)
    _check_scalar(outputs[0], "vhp")
    weights = _weights(v, values, "input")
    first = _or_zeros(_grads(outputs, values, (ones_like(outputs[0]),), True, strict), values)
    found = _or_zeros(_grads(first, values, weights, create_graph, strict), values)
    outputs, found = _finished(outputs, create_graph), _finished(found, create_graph)
    return outputs[0], found if several else found[0]


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(output, H v) of a scalar function; H is symmetric, so this is ``vhp``. Source: torch.autograd.functional.hvp."""
    return vhp(func, inputs, v, create_graph, strict)
