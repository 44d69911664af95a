"""Derivatives of functions of nested structures of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.autograd import gradients
from zerograd.autograd.grad_mode import enable_grad, is_grad_enabled
from zerograd.tensor.functions.creation import zeros, zeros_like
from zerograd.tensor.functions.joining import stack
from zerograd.tensor.gradients import leaves_behind
from zerograd.tensor.tensor import Tensor
from zerograd.utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten

Function = Callable[..., Any]
ArgNums = int | tuple[int, ...]


class _Inputs:
    """Tensors of the transform's own, in the place of the arguments that it differentiates for.

    Attributes:
        tree: the arguments with the new tensors.
        fresh: the new tensors.
    """

    def __init__(self, tree: Any) -> None:
        leaves, self.spec = tree_flatten(tree)
        for one in leaves:
            if not isinstance(one, Tensor):
                raise errors.value(f"the arguments that a transform is for must be Tensors, got {type(one).__name__}")
        with enable_grad():
            self.fresh = [one.view_as(one) if one.requires_grad else one.detach().requires_grad_() for one in leaves]
        self.tree = tree_unflatten(self.fresh, self.spec)

    def finished(self, result: Any) -> Any:
        """``result``, whose tensors keep a history only if it reaches beyond the new tensors."""
        own = {id(one) for one in self.fresh}

        def finish(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.requires_grad:
                return value
            beyond = is_grad_enabled() and any(id(leaf) not in own for leaf in leaves_behind([value]))
            return value if beyond else value.detach()

        return tree_map(finish, result)


def _chosen(args: tuple[Any, ...], argnums: ArgNums) -> tuple[int, ...]:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise errors.runtime(f"argnums={number}, but only {len(args)} arguments are given")
    if len({number % len(args) for number in numbers}) < len(numbers):
        raise errors.value(f"argnums={numbers} names an argument twice")
    return tuple(number % len(args) for number in numbers)


class _Call:
    """One call of a function under a transform.

    Attributes:
        inputs: for the arguments that it is differentiated for.
        output: what the function has returned, without the auxiliary part. aux: that part.
    """

    def __init__(self, func: Function, args: tuple[Any, ...], kwargs: Any, argnums: ArgNums, has_aux: bool) -> None:
        numbers = _chosen(args, argnums)
        self.single = isinstance(argnums, int)
        self.inputs = _Inputs(args[numbers[0]] if self.single else tuple(args[i] for i in numbers))
        chosen = (self.inputs.tree,) if self.single else self.inputs.tree
        replaced = list(args)
        for number, one in zip(numbers, chosen, strict=True):
            replaced[number] = one
        with enable_grad():
            result = func(*replaced, **kwargs)
        self.aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise errors.runtime("with has_aux=True the function must return (output, aux)")
            result, self.aux = result
        self.output = result

    def gradients(self, outputs: list[Any], weights: list[Any], create_graph: bool = True) -> list[Any]:
        """The gradients of the weighted sum of outputs for each new tensor; zeros where there is none."""
        pairs = [(out, weight) for out, weight in zip(outputs, weights, strict=True) if out.requires_grad]
        if not pairs:
            return [zeros_like(one) for one in self.inputs.fresh]
        with enable_grad():
            found = gradients.grad(
                [out for out, _ in pairs], self.inputs.fresh, [weight for _, weight in pairs],
                retain_graph=True, create_graph=create_graph, allow_unused=True, materialize_grads=True,
            )  # fmt: skip
        return list(found)

    def like_inputs(self, values: list[Any]) -> Any:
        return tree_unflatten(values, self.inputs.spec)

    def output_tensors(self, name: str) -> tuple[list[Any], TreeSpec]:
        leaves, spec = tree_flatten(self.output)
        for one in leaves:
            if not isinstance(one, Tensor):
                raise errors.runtime(f"{name}: the function must return Tensors, got {type(one).__name__}")
        return leaves, spec


# --- gradients ---------------------------------------------------------------------------------------


def grad(func: Function, argnums: ArgNums = 0, has_aux: bool = False) -> Function:
    """The function that gives the gradient of ``func``, a scalar, for one argument or several.

    Args:
        argnums: which arguments. has_aux: ``func`` returns (scalar, more), and so (gradient, more) comes out.
    Source: torch.func.grad.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func: Function, argnums: ArgNums = 0, has_aux: bool = False) -> Function:
    """The function that gives (gradient, value), or (gradient, (value, aux)). Source: torch.func.grad_and_value."""

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(func, args, kwargs, argnums, has_aux)
        output = call.output
        if not isinstance(output, Tensor):
            raise errors.runtime(f"grad: the function must return a scalar Tensor, got {type(output).__name__}")
        if output.dim():
            raise errors.runtime(
                f"grad: the function must return a scalar, got shape {list(output.shape)}",
                hint="vjp and jacrev differentiate functions with several outputs",
            )
        found = call.like_inputs(call.gradients([output], [None]))
        value = (output, call.aux) if has_aux else output
        return call.inputs.finished((found, value))

    return transformed


# --- products with the Jacobian ----------------------------------------------------------------------


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """(output, f), where ``f(cotangents)`` gives the cotangents times the Jacobian: one for each of ``primals``.

    With ``has_aux``: (output, f, aux). Source: torch.func.vjp.
    """
    call = _Call(func, primals, {}, tuple(range(len(primals))), has_aux)
    outputs, spec = call.output_tensors("vjp")

    def pull_back(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        del retain_graph, create_graph
        weights, given = tree_flatten(cotangents)
        if given != spec:
            raise errors.runtime("the cotangents must be nested as the outputs are", outputs=spec, cotangents=given)
        for number, (out, weight) in enumerate(zip(outputs, weights, strict=True)):
            if out.shape != weight.shape:
                raise errors.runtime(f"cotangent {number} has shape {list(weight.shape)}, its output {list(out.shape)}")
        return call.inputs.finished(call.like_inputs(call.gradients(outputs, weights)))

    output = call.inputs.finished(call.output)
    return (output, pull_back, call.inputs.finished(call.aux)) if has_aux else (output, pull_back)


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """(output, Jacobian times tangents), and aux with ``has_aux``.

    Raises:
        RuntimeError: ``primals`` or ``tangents`` are no tuples, or do not fit each other.
    Source: torch.func.jvp.
    """
    del strict
    for name, one in (("primals", primals), ("tangents", tangents)):
        if not isinstance(one, tuple):
            raise errors.runtime(f"jvp takes {name} as a tuple, not as {type(one).__name__}", hint=f"({name},)")
    leaves, spec = tree_flatten(primals)
    directions, given = tree_flatten(tangents)
    if spec != given or any(a.shape != b.shape for a, b in zip(leaves, directions, strict=True)):
        raise errors.runtime("jvp: the tangents must have the structure and the shapes of the primals")
    call = _Call(func, primals, {}, tuple(range(len(primals))), has_aux)
    outputs, out_spec = call.output_tensors("jvp")
    products = _pushed(call, outputs, directions)
    result = call.inputs.finished((call.output, tree_unflatten(products, out_spec)))
    return (*result, call.inputs.finished(call.aux)) if has_aux else result


def _pushed(call: _Call, outputs: list[Any], directions: list[Any]) -> list[Any]:
    """J times the directions: v J is linear in v, and its derivative for v, times the directions, is that."""
    with enable_grad():
        weights = [zeros_like(one).requires_grad_() for one in outputs]
        pulled = call.gradients(outputs, weights)
        pairs = [(one, d) for one, d in zip(pulled, directions, strict=True) if one.requires_grad]
        if not pairs:
            return [zeros_like(one) for one in outputs]
        found = gradients.grad(
            [one for one, _ in pairs], weights, [d for _, d in pairs],
            retain_graph=True, create_graph=True, allow_unused=True, materialize_grads=True,
        )  # fmt: skip
    call.inputs.fresh.extend(weights)
    return list(found)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """(output, f), where ``f(*tangents)`` gives the Jacobian times the tangents. Source: torch.func.linearize."""
    call = _Call(func, primals, {}, tuple(range(len(primals))), False)
    outputs, spec = call.output_tensors("linearize")

    def push_forward(*tangents: Any) -> Any:
        directions, given = tree_flatten(tangents)
        if given != call.inputs.spec:
            raise errors.runtime("linearize: the tangents must be nested as the primals are")
        return call.inputs.finished(tree_unflatten(_pushed(call, outputs, directions), spec))

    return call.inputs.finished(call.output), push_forward


# --- whole Jacobians ---------------------------------------------------------------------------------


def jacrev(func: Function, argnums: ArgNums = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Function:
    """The function that gives d output / d argument, of shape output.shape + argument.shape.

    Nested outputs come first, nested arguments within them. Source: torch.func.jacrev.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise errors.value(f"chunk_size must be at least 1, got {chunk_size}")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = _Call(func, args, kwargs, argnums, has_aux)
        outputs, spec = call.output_tensors("jacrev")
        rows = [call.like_inputs(_rows(call, out)) for out in outputs]
        result = call.inputs.finished(tree_unflatten(rows, spec))
        return (result, call.inputs.finished(call.aux)) if has_aux else result

    return jacobian


def _rows(call: _Call, output: Any) -> list[Any]:
    """d output / d input for each input: one backward pass for each element of the output."""
    columns: list[list[Any]] = [[] for _ in call.inputs.fresh]
    for place in range(output.numel()):
        seed = zeros(output.numel(), dtype=output.dtype)
        seed[place] = 1
        for column, one in zip(columns, call.gradients([output], [seed.reshape(output.shape)]), strict=True):
            column.append(one)
    return [
        stack(column).reshape(*output.shape, *one.shape)
        if column
        else zeros(*output.shape, *one.shape, dtype=one.dtype)
        for column, one in zip(columns, call.inputs.fresh, strict=True)
    ]


def jacfwd(func: Function, argnums: ArgNums = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """What ``jacrev`` gives; it is computed the same way. Source: torch.func.jacfwd."""
    del randomness
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Function, argnums: ArgNums = 0) -> Function:
    """The function that gives the second derivatives of ``func``. Source: torch.func.hessian."""
    return jacfwd(jacrev(func, argnums), argnums)
