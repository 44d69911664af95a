"""One scenario run by PyTorch and by zerograd, and compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

import zerograd

Scenario = Callable[[Any], Any]


def plain(value: Any, library: ModuleType) -> Any:
    """``value`` with NumPy arrays in the place of tensors, and names in the place of dtypes and shapes."""
    if isinstance(value, library.Tensor):
        return [str(value.dtype), np.array(value.detach().tolist()).reshape(tuple(value.shape))]
    if isinstance(value, library.dtype):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(one, library) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, library) for one in value]
    return value


def run(scenario: Scenario, library: Any) -> Any:
    """What a scenario returns after seed 0, in plain values."""
    before = library.get_rng_state()
    library.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plain(scenario(library), library)
    finally:
        library.set_rng_state(before)


def agree(scenario: Scenario, *, tolerance: float = 1e-5) -> None:
    """Both libraries return the same."""
    compare(run(scenario, zerograd), run(scenario, torch), tolerance, "result")


def compare(ours: Any, theirs: Any, tolerance: float, path: str) -> None:
    """Fails with the place of the first difference."""
    assert type(ours) is type(theirs), f"{path}: {ours!r} for {theirs!r}"
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), path
        for key in theirs:
            compare(ours[key], theirs[key], tolerance, f"{path}[{key!r}]")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), f"{path}: {ours!r} for {theirs!r}"
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            compare(one, other, tolerance, f"{path}[{i}]")
    elif isinstance(theirs, np.ndarray):
        assert ours.shape == theirs.shape, f"{path}: {ours.shape} for {theirs.shape}"
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=path)
    elif isinstance(theirs, float):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=path)
    else:
        assert ours == theirs, f"{path}: {ours!r} for {theirs!r}"


def raised(call: Callable[[], Any]) -> str:
    """The name of the error that ``call`` raises, or what it returns."""
    try:
        return repr(call())
    except Exception as error:
        return type(error).__name__


def numbers(library: Any, *shape: int, start: float = -1.0, end: float = 1.0) -> Any:
    """A tensor of evenly spaced numbers: the same in both libraries."""
    count = int(np.prod(shape))
    return library.tensor(np.linspace(start, end, count, dtype=np.float32).reshape(shape))
