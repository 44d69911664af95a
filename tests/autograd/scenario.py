"""One scenario, run by PyTorch, and by zerograd with launches in different places: the outcome is the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch as pytorch

import zerograd
from zerograd.runtime import realize
from zerograd.settings import settings

Scenario = Callable[[Any], Any]
PENDING = (4096, 0, 2)
"""How many calls may be pending before they are computed: a whole scenario, none, two."""


def plain(value: Any, library: Any) -> Any:
    """``value`` without tensors and other objects of a library."""
    if isinstance(value, library.Tensor):
        return ["tensor", str(value.dtype), list(value.shape), value.detach().tolist()]
    if isinstance(value, library.dtype):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(one, library) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, library) for one in value]
    return value


def outcome(scenario: Scenario, library: Any) -> Any:
    """What a scenario returns, or the name of what it raises."""
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(scenario(library), library)
        except Exception as error:
            if library is zerograd and isinstance(error, AssertionError | AttributeError | NotImplementedError):
                raise  # nobody means to raise these: the place should be seen
            return f"raises {type(error).__name__}"


@contextmanager
def at_most_pending(count: int) -> Iterator[None]:
    """Launch whenever more than ``count`` calls are pending."""
    before = settings.max_pending_calls
    object.__setattr__(settings, "max_pending_calls", count)
    realize.launch()
    try:
        yield
    finally:
        object.__setattr__(settings, "max_pending_calls", before)
        realize.launch()


def difference(ours: Any, theirs: Any, tolerance: float, path: str = "result") -> str | None:
    """The first place at which two outcomes differ."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        found = (difference(a, b, tolerance, f"{path}[{i}]") for i, (a, b) in enumerate(zip(ours, theirs, strict=True)))
        return next((one for one in found if one is not None), None)
    if isinstance(theirs, dict) and isinstance(ours, dict) and list(ours) == list(theirs):
        found = (difference(ours[key], theirs[key], tolerance, f"{path}[{key!r}]") for key in theirs)
        return next((one for one in found if one is not None), None)
    if isinstance(theirs, float | complex) and isinstance(ours, float | complex):
        same = np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        same = type(ours) is type(theirs) and ours == theirs
    return None if same else f"{path}: {ours!r}, and PyTorch {theirs!r}"


def check(scenario: Scenario, tolerance: float = 1e-5) -> None:
    """Fail unless zerograd's outcomes are PyTorch's."""
    expected = outcome(scenario, pytorch)
    for count in PENDING:
        with at_most_pending(count):
            found = outcome(scenario, zerograd)
        wrong = difference(found, expected, tolerance)
        assert wrong is None, f"with at most {count} calls pending: {wrong}"


def each(*scenarios: Scenario) -> Any:
    """A test for each scenario."""
    return pytest.mark.parametrize("scenario", scenarios, ids=[one.__name__ for one in scenarios])


def scenarios_of(names: dict[str, Any]) -> Any:
    """A test for each public function of one argument, named ``T``, in a module."""
    import inspect

    found = [
        one for name, one in names.items()
        if inspect.isfunction(one)
        and not name.startswith(("_", "test_"))
        and list(inspect.signature(one).parameters) == ["T"]
    ]  # fmt: skip
    return each(*found)
