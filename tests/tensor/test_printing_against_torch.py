"""The text of a tensor is PyTorch's, character for character."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from zerograd import dtypes
from zerograd.tensor import printing

FLOATS = ("float32", "float64", "float16", "bfloat16")
WHOLES = ("int64", "int32", "int16", "int8", "uint8", "bool")
COMPLEX = ("complex64", "complex128")

special = st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1.0, -1.0, 1e8, 1e-4, 1000.0, 0.5])


def numbers(exponent: int) -> st.SearchStrategy[float]:
    """Floats of similar magnitude, of any, whole ones, and the special ones."""
    size = 10.0**exponent
    return st.one_of(
        st.floats(-size, size),
        st.integers(-1200, 1200).map(float),
        st.floats(width=64),
        special,
    )


def as_torch(array: np.ndarray, kind: str) -> torch.Tensor:
    if kind == "bfloat16":
        return torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16)
    return torch.from_numpy(array)


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, ...]:
    return draw(
        st.one_of(
            npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
            st.sampled_from([(), (0,), (0, 3), (2, 0), (1001,), (1000,), (40, 40), (4, 300), (3, 2, 200), (12, 7, 13)]),
        )
    )


@st.composite
def arrays(draw: st.DrawFn) -> tuple[np.ndarray, str]:
    shape = draw(shapes())
    kind = draw(st.sampled_from(FLOATS * 2 + WHOLES + COMPLEX))
    count = math.prod(shape)
    # A few distinct values, repeated in random places, fill the large arrays.
    exponent = draw(st.integers(-7, 10))
    if kind in WHOLES:
        target = dtypes.named(kind).numpy
        low, high = (0, 1) if kind == "bool" else (np.iinfo(target).min, np.iinfo(target).max)
        values = draw(st.lists(st.integers(low, high) | st.integers(0, 1), min_size=1, max_size=20))
        pool = np.array(values, dtype=np.int64).astype(target)
    else:
        values = draw(st.lists(numbers(exponent), min_size=1, max_size=20))
        wide = np.array(values, dtype=np.float64)
        if kind in COMPLEX:
            wide = wide + 1j * np.roll(wide, 1) if np.isfinite(wide).all() else wide.astype(complex)
        with np.errstate(all="ignore"):
            pool = wide.astype(dtypes.named(kind).numpy)
    chosen = np.random.default_rng(draw(st.integers(0, 99))).integers(0, len(pool), count)
    if count and count <= len(pool):
        chosen = np.arange(count)
    return pool[chosen].reshape(shape), kind


@st.composite
def print_options(draw: st.DrawFn) -> dict[str, object]:
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "precision": st.integers(0, 12),
                "threshold": st.sampled_from([0, 5, 30, 1000, math.inf]),
                "edgeitems": st.integers(0, 5),
                "linewidth": st.integers(1, 200),
                "profile": st.sampled_from(["default", "short", "full"]),
                "sci_mode": st.sampled_from([True, False, None]),
            },
        )
    )


def both(array: np.ndarray, kind: str, **facts: object) -> tuple[str, str]:
    ours = printing.format_tensor(array, dtype=dtypes.named(kind), **facts)
    return ours, repr(as_torch(array, kind))


@settings(max_examples=200, deadline=None)
@given(arrays())
@example((np.array([0.0, -0.0, np.nan, np.inf]), "float64"))
@example((np.array([[1e8, 1.0], [np.nan, -np.inf]], dtype=np.float32), "float32"))
@example((np.array([1.5, 1500.0]), "float64"))
@example((np.array([1e8, 2e7]), "float64"))
@example((np.array([1e-4, 9.9e-5], dtype=np.float32), "float32"))
@example((np.array([complex(1, np.nan), complex(np.inf, -0.0)]), "complex128"))
def test_any_values_print_as_in_torch(case: tuple[np.ndarray, str]) -> None:
    ours, theirs = both(*case)
    assert ours == theirs


@settings(max_examples=150, deadline=None)
@given(arrays(), print_options())
def test_any_options_print_as_in_torch(case: tuple[np.ndarray, str], options: dict[str, object]) -> None:
    with torch._tensor_str.printoptions(**options), printing.printoptions(**options):
        ours, theirs = both(*case)
    assert ours == theirs


@pytest.mark.parametrize("default", FLOATS)
@pytest.mark.parametrize("shape", [(), (2,), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("kind", FLOATS + WHOLES + COMPLEX)
def test_the_dtype_is_told_when_the_values_do_not_suggest_it(kind: str, shape: tuple[int, ...], default: str) -> None:
    array = np.ones(shape).astype(dtypes.named(kind).numpy)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, default))
    try:
        ours, theirs = both(array, kind, default_dtype=dtypes.named(default))
    finally:
        torch.set_default_dtype(before)
    assert ours == theirs


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(20, 100), st.sampled_from(["float32", "float64"]), st.booleans())
def test_suffixes_wrap_where_torch_wraps_them(length: int, linewidth: int, kind: str, grown: bool) -> None:
    array = np.linspace(0.5, 2, length).astype(kind)
    theirs = torch.from_numpy(array).requires_grad_()
    theirs = theirs + 0 if grown else theirs
    name = type(theirs.grad_fn).__name__ if grown else None
    options = {"linewidth": linewidth}
    with torch._tensor_str.printoptions(**options), printing.printoptions(**options):
        ours = printing.format_tensor(array, dtype=dtypes.named(kind), requires_grad=True, grad_fn_name=name)
        assert ours == repr(theirs)


class OwnTensor(torch.Tensor):
    pass


def test_subclasses_say_what_they_are() -> None:
    values = np.array([[1.0, 2.5], [3.0, 4.0]], dtype=np.float32)
    theirs = torch.from_numpy(values).as_subclass(OwnTensor)
    assert printing.format_tensor(values, dtype=dtypes.float32, class_name="OwnTensor") == repr(theirs)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 3)], ids=str)
def test_a_tensor_without_values_shows_its_size(shape: tuple[int, ...], kind: str) -> None:
    theirs = torch.empty(shape, dtype=getattr(torch, kind), device="meta")
    ours = printing.format_tensor(None, shape=shape, dtype=dtypes.named(kind), device="meta")
    assert ours == repr(theirs)


def test_contents_can_be_given() -> None:
    array = np.ones(3, dtype=np.float64)
    ours = printing.format_tensor(array, dtype=dtypes.float64, contents="secret")
    assert ours == torch.from_numpy(array).__repr__(tensor_contents="secret")


def test_options_change_and_return_as_in_torch() -> None:
    steps = [
        {"precision": 2, "sci_mode": True},
        {"edgeitems": 1},
        {"profile": "short", "linewidth": 40},
        {"profile": "no such profile"},
        {"profile": "full"},
        {"profile": "default"},
    ]
    for step in steps:
        torch.set_printoptions(**step)
        printing.set_printoptions(**step)
        assert printing.get_printoptions() == torch._tensor_str.get_printoptions()
    before = printing.get_printoptions()
    with pytest.raises(KeyError), printing.printoptions(precision=9):
        raise KeyError
    assert printing.get_printoptions() == before


@pytest.mark.parametrize("spec", ["", ".2f", "8.3e", ">12", "g", "+.1%"])
@pytest.mark.parametrize("kind", FLOATS + WHOLES + COMPLEX)
def test_a_number_formats_as_in_torch(kind: str, spec: str) -> None:
    array = np.array(1.2345).astype(dtypes.named(kind).numpy)
    theirs = as_torch(array, kind)
    try:
        expected: object = format(theirs, spec)
    except ValueError as refused:
        expected = type(refused)
    try:
        ours: object = printing.format_scalar(array, dtypes.named(kind), spec)
    except ValueError as refused:
        ours = type(refused)
    assert ours == expected


def test_a_spec_for_many_numbers_is_refused_with_torchs_type() -> None:
    with pytest.raises(TypeError):
        format(torch.ones(3), ".2f")
    error = printing.refuse_format_spec((3,), ".2f")
    assert isinstance(error, TypeError)
    assert "shape (3,)" in str(error)
