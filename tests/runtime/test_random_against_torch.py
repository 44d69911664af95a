"""The same seed gives PyTorch's numbers and leaves the stream where PyTorch leaves it."""

from __future__ import annotations

import copy
import fractions
import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerograd import dtypes
from zerograd.runtime import random
from zerograd.runtime.random.arithmetic import elementary, fma32, fma64

SIZES = (0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1000, 10007)
FLOATS = ("float16", "bfloat16", "float32", "float64")
REALS = (*FLOATS, "int8", "int16", "int32", "int64", "uint8", "bool")

Draw = tuple[Callable[[random.Generator], np.ndarray], Callable[[torch.Generator], torch.Tensor]]


def pair(seed: int) -> tuple[random.Generator, torch.Generator]:
    return random.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(dtypes.bfloat16.numpy)
    return tensor.numpy()


def check(ours: np.ndarray, theirs: torch.Tensor) -> None:
    expected = as_numpy(theirs)
    assert ours.dtype == expected.dtype
    assert ours.shape == expected.shape
    np.testing.assert_array_equal(ours.astype(np.complex128), expected.astype(np.complex128))


def check_streams(ours: random.Generator, theirs: torch.Generator) -> None:
    np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())


def both(name: str) -> tuple[dtypes.dtype, torch.dtype]:
    return dtypes.named(name), getattr(torch, name)


def fill(method: str, shape: Any, dtype: torch.dtype, *args: Any, **kwargs: Any) -> Any:
    return lambda g: getattr(torch.empty(shape, dtype=dtype), method)(*args, generator=g, **kwargs)


def draws(shape: Any, name: str) -> list[Draw]:
    """Every kind of draw that this dtype has, as a pair of ours and PyTorch's."""
    d, t = both(name)
    found: list[Draw] = []
    if d.is_floating_point or d.is_complex:
        found += [
            (lambda g: random.uniform(g, shape, d), fill("uniform_", shape, t)),
            (lambda g: random.uniform(g, shape, d, -0.37, 1.913), fill("uniform_", shape, t, -0.37, 1.913)),
            (lambda g: random.normal(g, shape, d), fill("normal_", shape, t)),
            (lambda g: random.normal(g, shape, d, 0.3, 1.7), fill("normal_", shape, t, 0.3, 1.7)),
        ]
    if d.is_floating_point:
        found += [
            (lambda g: random.exponential(g, shape, d, 1.7), fill("exponential_", shape, t, 1.7)),
            (lambda g: random.cauchy(g, shape, d, 0.2, 1.7), fill("cauchy_", shape, t, 0.2, 1.7)),
            (lambda g: random.log_normal(g, shape, d, 0.3, 0.7), fill("log_normal_", shape, t, 0.3, 0.7)),
        ]
    if not d.is_complex:
        found += [
            (lambda g: random.bernoulli(g, shape, d, 0.3), fill("bernoulli_", shape, t, 0.3)),
            (lambda g: random.integers_of_dtype(g, shape, d), fill("random_", shape, t)),
            (lambda g: random.integers(g, shape, d, 0, 2), fill("random_", shape, t, 0, 2)),
            (lambda g: random.integers(g, shape, d, 0, None), fill("random_", shape, t, 0, None)),
        ]
        if name != "bool":
            found.append((lambda g: random.geometric(g, shape, d, 0.2), fill("geometric_", shape, t, 0.2)))
    return found


@pytest.mark.parametrize("name", [*REALS, "complex64", "complex128"])
def test_every_draw_of_every_size_is_pytorchs_and_so_is_the_stream_after_it(name: str) -> None:
    for size in SIZES:
        ours, theirs = pair(size + 1)
        for mine, torchs in draws((size,), name):
            check(mine(ours), torchs(theirs))
            check_streams(ours, theirs)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(-(2**63), 2**64 - 1),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["float32", "float64", "bfloat16", "int64", "bool"]),
            st.integers(0, 50),
            st.integers(0, 99),
        ),
        max_size=12,
    ),
)
def test_mixed_draws_from_one_stream_stay_equal(seed: int, steps: list[tuple[str, int, int]]) -> None:
    ours, theirs = pair(seed)
    for name, size, which in steps:
        choices = draws((size,), name)
        mine, torchs = choices[which % len(choices)]
        check(mine(ours), torchs(theirs))
    check_streams(ours, theirs)


def test_a_million_normal_numbers_agree_in_every_bit() -> None:
    ours, theirs = pair(7)
    check(random.normal(ours, (1000, 1001), dtypes.float32), torch.randn(1000, 1001, generator=theirs))


@pytest.mark.parametrize("size", [5, 50])
def test_numbers_too_large_for_the_dtype_become_infinite_without_a_warning(size: int) -> None:
    ours, theirs = pair(7)
    expected = torch.empty(size, dtype=torch.half).normal_(0, 1e5, generator=theirs)
    check(random.normal(ours, (size,), dtypes.float16, 0, 1e5), expected)
    expected = torch.empty(size, dtype=torch.half).log_normal_(0, 100, generator=theirs)
    check(random.log_normal(ours, (size,), dtypes.float16, 0, 100), expected)


def test_normal_numbers_for_a_tensor_that_is_not_contiguous_come_in_pairs() -> None:
    ours, theirs = pair(7)
    tensor = torch.empty(40, 3).t()
    tensor.normal_(1, 2, generator=theirs)
    check(random.normal(ours, (40, 3), dtypes.float32, 1, 2, contiguous=False), tensor.t())
    check_streams(ours, theirs)


# --- whole numbers and permutations --------------------------------------------------------------

RANGES = (
    (0, 1), (0, 10), (-5, 5), (3, 100), (0, 2**28 - 1), (0, 2**28), (0, 2**31), (-(2**40), 2**41),
    (0, 2**63 - 1), (-(2**63), 2**63 - 1), (-(2**62), 2**62 + 12345),
)  # fmt: skip


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_integers_are_pytorchs_for_every_width_of_range(low: int, high: int) -> None:
    ours, theirs = pair(3)
    check(
        random.integers(ours, (5, 7), dtypes.int64, low, high),
        torch.randint(low, high, (5, 7), generator=theirs),
    )
    check_streams(ours, theirs)


@pytest.mark.parametrize("name", ["int64", "float64", "float32", "bfloat16"])
def test_integers_can_cover_all_64_bits(name: str) -> None:
    d, t = both(name)
    ours, theirs = pair(3)
    check(
        random.integers(ours, (50,), d, -(2**63)),
        torch.empty(50, dtype=t).random_(-(2**63), None, generator=theirs),
    )
    check_streams(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*is out of bounds:UserWarning")
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 65504),
        (-65504, 65504),
        (2047, 2051),
        (-2051, 0),
        (-(2**24) - 3, 2**24 + 3),
        (255, 259),
        (-259, -250),
        (0, 60001),
    ],
)
def test_integers_of_float_types_keep_rounding_inside_the_range(name: str, low: int, high: int) -> None:
    d, t = both(name)
    (ours, theirs), tensor = pair(3), torch.empty(200, dtype=t)
    try:
        tensor.random_(low, high, generator=theirs)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            random.integers(ours, (200,), d, low, high)
        return
    check(random.integers(ours, (200,), d, low, high), tensor)
    check_streams(ours, theirs)


@pytest.mark.parametrize("name", ["int64", "int32", "int16", "float32", "float64", "float16", "bfloat16", "uint8"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 16, 100, 256])
def test_permutations_are_pytorchs(name: str, n: int) -> None:
    d, t = both(name)
    ours, theirs = pair(n)
    check(random.permutation(ours, n, d), torch.randperm(n, generator=theirs, dtype=t))
    check_streams(ours, theirs)


def test_a_long_permutation_is_pytorchs() -> None:
    ours, theirs = pair(5)
    check(random.permutation(ours, 60_000), torch.randperm(60_000, generator=theirs))


def test_a_huge_permutation_takes_one_wide_word_for_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyTorch does this from n = 2**32 / 20 on, too many for a test; checked there once by hand.
    monkeypatch.setattr("zerograd.runtime.random.whole_numbers._LARGE_PERMUTATION", 10)
    ours, theirs = pair(5)
    found = random.permutation(ours, 20)
    assert sorted(found.tolist()) == list(range(20))
    torch.empty(20, dtype=torch.int64).random_(generator=theirs)
    check_streams(ours, theirs)


# --- probabilities -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REALS)
@pytest.mark.parametrize("p_name", FLOATS)
def test_bernoulli_with_a_probability_for_each_element_is_pytorchs(name: str, p_name: str) -> None:
    d, t = both(name)
    ours, theirs = pair(11)
    p = torch.rand(9, 1, 5).to(getattr(torch, p_name))
    expected = torch.empty(9, 4, 5, dtype=t).bernoulli_(p, generator=theirs)
    check(random.bernoulli(ours, (9, 4, 5), d, as_numpy(p)), expected)
    check_streams(ours, theirs)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_dropout_drops_what_pytorch_drops(p: float) -> None:
    torch.manual_seed(9)
    expected = torch.nn.functional.dropout(torch.ones(20, 50), p)
    kept = random.bernoulli(random.Generator().manual_seed(9), (20, 50), dtypes.float32, 1 - p)
    np.testing.assert_array_equal(kept != 0, expected.numpy() != 0)


@pytest.mark.parametrize(
    ("shape", "samples", "replacement", "name"),
    [
        (shape, samples, replacement, name)
        for shape, samples in [((5,), 1), ((5,), 3), ((7, 5), 1), ((7, 5), 5), ((3, 1000), 20), ((0, 4), 2)]
        for replacement in (True, False)
        for name in FLOATS
        if samples < 20 or replacement or name in ("float32", "float64")  # in 16 bits quotients are equal: any order
    ],
)
def test_multinomial_is_pytorchs(shape: tuple[int, ...], samples: int, replacement: bool, name: str) -> None:
    ours, theirs = pair(11)
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(1)).to(getattr(torch, name))
    expected = torch.multinomial(weights, samples, replacement, generator=theirs)
    check(random.multinomial(ours, as_numpy(weights), samples, replacement), expected)
    check_streams(ours, theirs)


# --- numbers that take as many uniforms as they need ---------------------------------------------


def rates(name: str) -> torch.Tensor:
    values = torch.cat([torch.tensor([0.0, 1e-9, 10.0]), torch.linspace(0.01, 15, 300), torch.logspace(1, 9, 300)])
    return values.clamp(max=6e4 if name == "float16" else 1e9).to(getattr(torch, name))


@pytest.mark.parametrize("name", FLOATS)
def test_poisson_numbers_are_pytorchs(name: str) -> None:
    ours, theirs = pair(2)
    rate = rates(name).view(-1, 3)
    check(random.poisson(ours, as_numpy(rate)), torch.poisson(rate, generator=theirs))
    check_streams(ours, theirs)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_binomial_numbers_are_pytorchs(name: str) -> None:
    ours, theirs = pair(2)
    rows = itertools.product((0, 1, 5, 20, 21, 100, 1000, 123457), (0.0, 1e-3, 0.05, 0.3, 0.5, 0.51, 0.77, 0.999, 1.0))
    count, p = torch.tensor(list(rows) * 5, dtype=getattr(torch, name)).T.contiguous()
    check(random.binomial(ours, count.numpy(), p.numpy()), torch.binomial(count, p, generator=theirs))
    check_streams(ours, theirs)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_gamma_numbers_are_pytorchs(name: str) -> None:
    ours, theirs = pair(2)
    alpha = torch.cat([torch.tensor([0.0]), torch.logspace(-3, 4, 999)]).to(getattr(torch, name)).view(-1, 4)
    check(random.gamma(ours, alpha.numpy()), torch._standard_gamma(alpha, generator=theirs))
    check_streams(ours, theirs)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_dirichlet_numbers_are_pytorchs_but_for_the_order_of_the_sum(name: str) -> None:
    ours, theirs = pair(2)
    alpha = torch.logspace(-2, 2, 300).to(getattr(torch, name)).view(-1, 5)
    expected = torch._sample_dirichlet(alpha, generator=theirs).numpy()
    np.testing.assert_array_max_ulp(random.dirichlet(ours, alpha.numpy()), expected, maxulp=2)
    check_streams(ours, theirs)


# --- seeds and states ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 42, -1, -5, -(2**63), 2**32 - 1, 2**32, 2**40 + 3, 2**64 - 1])
def test_any_seed_means_what_it_means_in_pytorch(seed: int) -> None:
    ours, theirs = pair(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    check_streams(ours, theirs)
    check(random.uniform(ours, (3,), dtypes.float32), torch.rand(3, generator=theirs))


@pytest.mark.parametrize("seed", [1.5, True, "3", None, 2**64, -(2**63) - 1])
def test_what_is_no_seed_is_refused_as_by_pytorch(seed: Any) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  PyTorch says which
        torch.Generator().manual_seed(seed)
    ours = random.Generator()
    before = ours.get_state()
    with pytest.raises(theirs.type):
        ours.manual_seed(seed)
    np.testing.assert_array_equal(ours.get_state(), before)


def test_an_unseeded_generator_is_pytorchs() -> None:
    check_streams(random.Generator(), torch.Generator())


@settings(max_examples=30, deadline=None)
@given(drawn=st.integers(0, 1300), odd=st.booleans())
def test_states_move_both_ways_at_every_place_in_the_stream(drawn: int, odd: bool) -> None:
    ours, theirs = pair(8)
    random.uniform(ours, (drawn,), dtypes.float32)
    torch.rand(drawn, generator=theirs)
    if odd:  # leaves one of a pair of normal numbers behind
        random.normal(ours, (3,), dtypes.float32)
        torch.randn(3, generator=theirs)
    check_streams(ours, theirs)
    into_ours = random.Generator().set_state(theirs.get_state().numpy())
    into_theirs = torch.Generator()
    into_theirs.set_state(torch.from_numpy(ours.get_state()))
    check_streams(into_ours, into_theirs)
    check(random.normal(into_ours, (5,), dtypes.float64), torch.randn(5, dtype=torch.float64, generator=theirs))
    check(random.normal(ours, (5,), dtypes.float64), torch.randn(5, dtype=torch.float64, generator=into_theirs))


def test_a_state_that_is_none_is_refused_and_changes_nothing() -> None:
    ours = random.Generator().manual_seed(3)
    before = ours.get_state()
    wrong = before.copy()
    wrong[8] = 200  # left, without next
    for state, error in (
        (np.zeros(5056, np.float32), TypeError),
        (np.zeros(50, np.uint8), RuntimeError),
        (np.zeros(5056, np.uint8), RuntimeError),
        (wrong, RuntimeError),
    ):
        with pytest.raises(error):
            ours.set_state(state)
    np.testing.assert_array_equal(ours.get_state(), before)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), lambda g: g.clone_state()]
)
def test_a_copied_generator_draws_the_same_and_does_not_disturb_its_original(copied: Any) -> None:
    ours = random.Generator().manual_seed(3)
    random.normal(ours, (3,), dtypes.float32)
    twin, before = copied(ours), ours.get_state()
    expected = random.normal(twin, (20,), dtypes.float32)
    np.testing.assert_array_equal(ours.get_state(), before)
    np.testing.assert_array_equal(random.normal(ours, (20,), dtypes.float32), expected)
    assert twin.initial_seed() == 3


def test_seed_takes_a_new_seed_each_time_and_says_which() -> None:
    ours = random.Generator()
    first, second = ours.seed(), ours.seed()
    assert first != second
    assert ours.initial_seed() == second
    check_streams(ours, torch.Generator().manual_seed(second))


def test_without_a_generator_the_default_one_is_used() -> None:
    before = random.default_generator.get_state()
    try:
        random.default_generator.manual_seed(4)
        check(
            random.uniform(None, (3,), dtypes.float32),
            torch.rand(3, generator=torch.Generator().manual_seed(4)),
        )
    finally:
        random.default_generator.set_state(before)


# --- arithmetic ----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e6, 1e6))
def test_fused_multiply_add_rounds_once(a: float, b: float, c: float) -> None:
    if any(0 < abs(x) < 1e-100 for x in (a, b, c)):
        return  # its rests would underflow
    exact = fractions.Fraction(a) * fractions.Fraction(b) + fractions.Fraction(c)
    assert fma64(np.array([a]), b, c)[0] == float(exact)
    a, b, c = (np.float32(x) for x in (a, b, c))
    exact = fractions.Fraction(float(a)) * fractions.Fraction(float(b)) + fractions.Fraction(float(c))
    np.testing.assert_array_max_ulp(fma32(np.array([a]), b, c), np.array([float(exact)], np.float32), maxulp=0)


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "sin", "cos", "tan"])
def test_elementary_functions_are_the_c_librarys_even_where_numpy_has_its_own(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.linspace(0, 1, 1001)[1 if name == "log" else 0 :]
    expected = np.array([getattr(math, name)(one) for one in x])
    np.testing.assert_array_equal(elementary(name, x), expected)
    monkeypatch.setattr("zerograd.runtime.random.arithmetic._numpy_equals_c", lambda name: False)
    np.testing.assert_array_equal(elementary(name, x), expected)
    if name == "log":
        with np.errstate(divide="ignore"):
            np.testing.assert_array_equal(elementary(name, np.array([0.0, 1.0])), [-np.inf, 0.0])
    if name == "exp":
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(elementary(name, np.array([0.0, 1e4, -1e4])), [1.0, np.inf, 0.0])
