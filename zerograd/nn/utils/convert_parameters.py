"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zerograd import errors
from zerograd.tensor.functions.joining import cat
from zerograd.tensor.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all ``parameters`` in one vector. Source: torch.nn.utils.parameters_to_vector."""
    return cat([one.reshape(-1) for one in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Tensor]) -> None:
    """Make the slices of ``vec`` the data of ``parameters``, one after the other.

    Raises:
        TypeError: ``vec`` is no tensor.
    Source: torch.nn.utils.vector_to_parameters.
    """
    if not isinstance(vec, Tensor):
        raise errors.type_(f"vector_to_parameters needs a tensor, got a {type(vec).__name__}")
    start = 0
    for one in parameters:
        end = start + one.numel()
        one.data = vec[start:end].view_as(one).data
        start = end
