"""Wrong draws raise PyTorch's error type, and leave the stream where it was."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from zerograd import dtypes
from zerograd.runtime import random

F32 = dtypes.float32

WRONG: list[Any] = [
    ("low above high", lambda g: random.uniform(g, (3,), F32, 2, 1), lambda t: t.uniform_(2, 1)),
    ("bound too large", lambda g: random.uniform(g, (3,), F32, 0, 1e39), lambda t: t.uniform_(0, 1e39)),
    (
        "width too large",
        lambda g: random.uniform(g, (3,), F32, -3e38, 3e38),
        lambda t: t.uniform_(-3e38, 3e38),
    ),
    ("uniform of int", lambda g: random.uniform(g, (3,), dtypes.int64), lambda t: t.long().uniform_()),
    ("negative std", lambda g: random.normal(g, (3,), F32, 0, -1), lambda t: t.normal_(0, -1)),
    ("NaN std", lambda g: random.normal(g, (3,), F32, 0, math.nan), lambda t: t.normal_(0, math.nan)),
    ("normal of int", lambda g: random.normal(g, (3,), dtypes.int64), lambda t: t.long().normal_()),
    ("p above 1", lambda g: random.bernoulli(g, (3,), F32, 1.5), lambda t: t.bernoulli_(1.5)),
    (
        "p of int",
        lambda g: random.bernoulli(g, (3,), F32, np.ones(3, np.int64)),
        lambda t: t.bernoulli_(torch.ones(3).long()),
    ),
    (
        "an element of p above 1",
        lambda g: random.bernoulli(g, (3,), F32, np.full(3, 2.0)),
        lambda t: t.bernoulli_(torch.full((3,), 2.0)),
    ),
    (
        "bernoulli of complex",
        lambda g: random.bernoulli(g, (3,), dtypes.complex64, 0.5),
        lambda t: t.cfloat().bernoulli_(0.5),
    ),
    ("rate 0", lambda g: random.exponential(g, (3,), F32, 0), lambda t: t.exponential_(0)),
    (
        "exponential of int",
        lambda g: random.exponential(g, (3,), dtypes.int64),
        lambda t: t.long().exponential_(),
    ),
    ("sigma 0", lambda g: random.cauchy(g, (3,), F32, 0, 0), lambda t: t.cauchy_(0, 0)),
    ("cauchy of int", lambda g: random.cauchy(g, (3,), dtypes.int64), lambda t: t.long().cauchy_()),
    ("p = 0", lambda g: random.geometric(g, (3,), F32, 0), lambda t: t.geometric_(0)),
    (
        "geometric of bool",
        lambda g: random.geometric(g, (3,), dtypes.bool_, 0.5),
        lambda t: t.bool().geometric_(0.5),
    ),
    ("log_normal std 0", lambda g: random.log_normal(g, (3,), F32, 0, 0), lambda t: t.log_normal_(0, 0)),
    (
        "log_normal of int",
        lambda g: random.log_normal(g, (3,), dtypes.int64),
        lambda t: t.long().log_normal_(),
    ),
    ("empty range", lambda g: random.integers(g, (3,), dtypes.int64, 5, 5), lambda t: t.long().random_(5, 5)),
    (
        "range too wide",
        lambda g: random.integers(g, (3,), dtypes.int8, 0, 300),
        lambda t: t.char().random_(0, 300),
    ),
    (
        "range of bool",
        lambda g: random.integers(g, (3,), dtypes.bool_, 0, 3),
        lambda t: t.bool().random_(0, 3),
    ),
    (
        "integers of complex",
        lambda g: random.integers_of_dtype(g, (3,), dtypes.complex64),
        lambda t: t.cfloat().random_(),
    ),
    (
        "64 bits of int32",
        lambda g: random.integers(g, (3,), dtypes.int32, -(2**63)),
        lambda t: t.int().random_(-(2**63), None),
    ),
    ("n < 0", lambda g: random.permutation(g, -1), lambda t: torch.randperm(-1)),
    (
        "n too large",
        lambda g: random.permutation(g, 257, dtypes.uint8),
        lambda t: torch.randperm(257, dtype=torch.uint8),
    ),
    (
        "n not exact",
        lambda g: random.permutation(g, 2050, dtypes.float16),
        lambda t: torch.randperm(2050, dtype=torch.half),
    ),
    (
        "n of bool",
        lambda g: random.permutation(g, 1, dtypes.bool_),
        lambda t: torch.randperm(1, dtype=torch.bool),
    ),
    ("negative rate", lambda g: random.poisson(g, np.array([-1.0])), lambda t: torch.poisson(t - 1)),
    ("poisson of int", lambda g: random.poisson(g, np.array([1])), lambda t: torch.poisson(t.long())),
    (
        "binomial of int",
        lambda g: random.binomial(g, np.array([1]), np.array([0.5])),
        lambda t: torch.binomial(t.long(), t),
    ),
    (
        "binomial of half",
        lambda g: random.binomial(g, np.ones(1, np.float16), np.ones(1, np.float16)),
        lambda t: torch.binomial(t.half(), t.half()),
    ),
    (
        "binomial of two dtypes",
        lambda g: random.binomial(g, np.ones(1, np.float32), np.ones(1)),
        lambda t: torch.binomial(t, t.double()),
    ),
    (
        "gamma of half",
        lambda g: random.gamma(g, np.ones(1, np.float16)),
        lambda t: torch._standard_gamma(t.half()),
    ),
    (
        "dirichlet of half",
        lambda g: random.dirichlet(g, np.ones(1, np.float16)),
        lambda t: torch._sample_dirichlet(t.half()),
    ),
    (
        "negative weight",
        lambda g: random.multinomial(g, np.array([1.0, -1]), 1),
        lambda t: torch.multinomial(torch.tensor([1.0, -1]), 1),
    ),
    (
        "infinite weight",
        lambda g: random.multinomial(g, np.array([1, math.inf]), 1, True),
        lambda t: torch.multinomial(torch.tensor([1, math.inf]), 1, True),
    ),
    (
        "no weight",
        lambda g: random.multinomial(g, np.zeros(2), 1),
        lambda t: torch.multinomial(torch.zeros(2), 1),
    ),
    (
        "too many samples",
        lambda g: random.multinomial(g, np.ones(2), 3),
        lambda t: torch.multinomial(torch.ones(2), 3),
    ),
    (
        "no samples",
        lambda g: random.multinomial(g, np.ones(2), 0),
        lambda t: torch.multinomial(torch.ones(2), 0),
    ),
    (
        "weights of int",
        lambda g: random.multinomial(g, np.ones(2, np.int64), 1),
        lambda t: torch.multinomial(torch.ones(2).long(), 1),
    ),
    (
        "3 dimensions",
        lambda g: random.multinomial(g, np.ones((2, 2, 2)), 1),
        lambda t: torch.multinomial(torch.ones(2, 2, 2), 1),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_call_raises_pytorchs_error_and_draws_nothing(ours: Any, theirs: Any) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011  PyTorch says which
        theirs(torch.zeros(3))
    generator = random.Generator().manual_seed(1)
    with pytest.raises(expected.type) as error:
        ours(generator)
    assert type(error.value) is expected.type
    assert len(str(error.value)) > 20
    np.testing.assert_array_equal(generator.get_state(), random.Generator().manual_seed(1).get_state())
