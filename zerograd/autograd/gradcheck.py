"""Gradients against finite differences: ``torch.autograd.gradcheck``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.autograd.gradients import grad
from zerograd.ir.graph import TensorType
from zerograd.tensor.base import TensorBase


class GradcheckError(RuntimeError):
    """A gradient disagrees with finite differences."""


def _differentiable(inputs: tuple[Any, ...]) -> list[Any]:
    return [one for one in inputs if isinstance(one, TensorBase) and one.requires_grad]


def _outputs(result: Any) -> list[Any]:
    results = result if isinstance(result, list | tuple) else (result,)
    return [one for one in results if isinstance(one, TensorBase) and one.dtype.is_inexact]


def _of(array: np.ndarray[Any, Any], like: Any) -> Any:
    return TensorBase.of_array(np.array(array, like.dtype.numpy), TensorType(array.shape, like.dtype))


def _directions(tensor: Any) -> Iterator[complex]:
    yield 1.0
    if tensor.dtype.is_complex:
        yield 1j


def _numerical(function: Callable[..., Any], inputs: tuple[Any, ...], of: Any, eps: float) -> list[Any]:
    """For each output, d output / d element of ``of``: shape (directions, elements of input, elements of output)."""
    start = np.array(of.detach().numpy())
    columns: list[list[Any]] = []
    for direction in _directions(of):
        for place in range(start.size):
            ends = []
            for sign in (1, -1):
                moved = start.copy()
                moved.reshape(-1)[place] += sign * eps * direction
                replaced = tuple(_of(moved, of).requires_grad_() if one is of else one for one in inputs)
                ends.append([np.array(out.detach().numpy()).reshape(-1) for out in _outputs(function(*replaced))])
            columns.append([(a - b) / (2 * eps) for a, b in zip(*ends, strict=True)])
    return [np.stack([column[k] for column in columns]) for k in range(len(columns[0]))] if columns else []


def _analytical(output: Any, of: Any) -> Any:
    """The same from backward passes: the real inner product of the cotangent with a move along each direction."""
    columns = []
    for direction in _directions(output):
        for place in range(output._type.count):
            seed = np.zeros(output._type.count, output.dtype.numpy)
            seed[place] = direction
            (found,) = grad(output, of, _of(seed.reshape(output._shape), output), retain_graph=True, allow_unused=True)
            back = np.zeros(of._shape, of.dtype.numpy) if found is None else np.array(found.detach().numpy())
            columns.append(np.concatenate([(np.conj(d) * back).real.reshape(-1) for d in _directions(of)]))
    return np.stack(columns, axis=1) if columns else np.zeros((of._type.count, 0))


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether backward passes through ``func`` agree with central differences, for every element.

    Args:
        inputs: a tensor or a tuple; those that require gradients should be float64.
        eps: the step of the differences. atol, rtol: what they may differ by.
        raise_exception: raise ``GradcheckError`` (a RuntimeError) instead of returning False.
        The remaining arguments are accepted and check nothing more.
    Raises:
        ValueError: no input requires gradients.
    Source: torch.autograd.gradcheck.
    """
    inputs = (inputs,) if isinstance(inputs, TensorBase) else tuple(inputs)
    wanted = _differentiable(inputs)
    if not wanted:
        raise ValueError("none of the inputs requires grad, so there is nothing to check")
    try:
        _check(func, inputs, wanted, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(
    func: Callable[..., Any], inputs: tuple[Any, ...], wanted: list[Any], eps: float, atol: float, rtol: float
) -> None:
    outputs = [one for one in _outputs(func(*inputs)) if one.requires_grad]
    for number, tensor in enumerate(wanted):
        if tensor.dtype not in (dtypes.float64, dtypes.complex128):
            import warnings

            warnings.warn(
                f"input {number} is {tensor.dtype}: differences are too coarse below float64,"
                " and the check will likely fail",
                stacklevel=3,
            )
        numerical = _numerical(func, inputs, tensor, eps)
        for k, output in enumerate(outputs):
            expected = numerical[k]
            if output.dtype.is_complex:
                expected = np.concatenate([expected.real, expected.imag], axis=1)
            found = _analytical(output, tensor)
            if not np.allclose(found, np.real(expected), rtol, atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {k} with respect to input {number},\n"
                    f"numerical:{np.real(expected)}\nanalytical:{found}\n"
                )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    gen_non_contig_grad_outputs: bool = False,
    **options: Any,
) -> bool:
    """Whether gradients of gradients agree with central differences. Source: torch.autograd.gradgradcheck."""
    inputs = (inputs,) if isinstance(inputs, TensorBase) else tuple(inputs)
    outputs = _outputs(func(*inputs))
    if grad_outputs is None:
        generator = np.random.default_rng(0)
        cotangents = [
            _of(
                generator.standard_normal(one._shape)
                + (1j * generator.standard_normal(one._shape) if one.dtype.is_complex else 0),
                one,
            ).requires_grad_()
            for one in outputs
        ]
    else:
        cotangents = [grad_outputs] if isinstance(grad_outputs, TensorBase) else list(grad_outputs)
    count = len(inputs)

    def first_gradients(*both: Any) -> Any:
        given, weights = both[:count], both[count:]
        results = [(one, w) for one, w in zip(_outputs(func(*given)), weights, strict=True) if one.requires_grad]
        asked = _differentiable(given)
        found = grad([r for r, _ in results], asked, [w for _, w in results], create_graph=True, allow_unused=True)
        return tuple(one for one in found if one is not None)

    return gradcheck(first_gradients, (*inputs, *cotangents), **options)
