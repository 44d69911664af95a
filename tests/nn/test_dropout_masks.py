"""Dropout drops what PyTorch drops for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import zerograd

INPUTS: dict[str, Any] = {
    "vector": lambda t: t.ones(50),
    "matrix": lambda t: t.ones(6, 7),
    "transposed": lambda t: t.ones(6, 7).transpose(0, 1),
    "permuted": lambda t: t.ones(3, 4, 5).permute(2, 0, 1),
    "part of a matrix": lambda t: t.ones(6, 7)[1:4, 2:],
    "images": lambda t: t.ones(2, 3, 4, 5),
    "images in half": lambda t: t.ones(2, 3, 4, 5).half(),
    "images, permuted": lambda t: t.ones(2, 4, 5, 3).permute(0, 3, 1, 2),
}


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS.keys())
def test_the_mask_is_pytorchs_however_the_input_lies_in_memory(make: Any, p: float) -> None:
    found = []
    for library in (zerograd, torch):
        before = library.get_rng_state()
        library.manual_seed(12)
        functional = library.nn.functional
        x = make(library)
        names = ["dropout", "alpha_dropout"] + (["dropout2d", "feature_alpha_dropout"] if x.dim() == 4 else [])
        found.append([(np.array(getattr(functional, name)(x, p, True).tolist()) > 0.9).tolist() for name in names])
        found[-1].append(library.get_rng_state().tolist())
        library.set_rng_state(before)
    assert found[0] == found[1]
