"""torch.masked: reductions and scans that skip elements, compared with PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import zerograd
import zerograd.masked

VALUES = [[3.0, -1.0, 2.0, 0.5], [0.5, 4.0, -2.0, 1.0], [1.0, 2.0, 3.0, -4.0]]
MASK = [[True, False, True, True], [False, False, False, False], [True, True, True, True]]
CALLS = [
    *(f"M.{name}(x, 1, mask=m)" for name in ("sum", "prod", "amax", "amin", "argmax", "argmin", "mean", "median")),
    *(f"M.{name}(x, 1, mask=m)" for name in ("softmax", "log_softmax", "softmin", "logsumexp", "cumsum", "cumprod")),
    *(f"M.{name}(x, mask=m, keepdim=True)" for name in ("sum", "prod", "amax", "amin", "mean", "var", "std")),
    *(f"M.{name}(i, 1, mask=m)" for name in ("sum", "prod", "amax", "amin", "argmax", "cumsum")),
    *(f"M.norm(x, {order}, 1, mask=m)" for order in ("1", "2", "float('inf')", "-float('inf')")),
    *(f"M.{name}(x, 1, {unbiased}, mask=k)" for name in ("var", "std") for unbiased in (True, False)),
    "M.normalize(x, 2, 1, mask=m)", "M.logaddexp(x, x, input_mask=m)", "M.sum(x)", "M.mean(x, (0, 1), dtype=L.float64)",
    "M.var(i, 1, False)", "M.mean(i, mask=m)", "M.median(i, mask=m)",
]  # fmt: skip


def run(call: str, library: Any) -> tuple[Any, Any]:
    x = library.tensor(VALUES, dtype=library.float64, requires_grad=True)
    given = {"x": x, "i": library.tensor([[3, 1, 2, 0], [5, 4, 2, 1], [7, 2, 3, 4]]), "m": library.tensor(MASK)}
    given["k"] = given["m"] | (x.detach() > 0)
    value = eval(call, {"M": library.masked, "L": library}, given)
    (slope,) = library.autograd.grad(value.sum(), [x]) if value.requires_grad else (None,)
    return value.detach(), slope


@pytest.mark.parametrize("call", CALLS)
def test_masked_functions(call: str) -> None:
    try:
        expected, wanted = run(call, torch)
    except ValueError:
        with pytest.raises(ValueError, match="needs floating-point"):
            run(call, zerograd)
        return
    got, found = run(call, zerograd)
    assert str(got.dtype) == str(expected.dtype)
    np.testing.assert_allclose(got.numpy(), expected.numpy())
    assert (found is None) == (wanted is None)
    if wanted is not None:
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-12)
