"""Indexing of every kind reads, writes and differentiates as in PyTorch, and raises the same errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st

import zerograd

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # lists that stand for tuples, uint8 masks

SHAPES = [(), (4,), (3, 4), (2, 3, 4), (3, 1, 4), (2, 2, 2, 3), (0, 3)]


class Places:
    """An index tensor that each library makes for itself."""

    def __init__(self, content: Any, kind: str) -> None:
        self.content, self.kind = content, kind

    def of(self, library: Any) -> Any:
        if self.kind == "list":
            return self.content
        if self.kind == "numpy":
            return np.array(self.content)
        kind = library.bool if self.kind == "mask" else getattr(library, self.kind)
        return library.tensor(self.content, dtype=kind)

    def __repr__(self) -> str:
        return f"{self.kind}:{self.content}"


def slices() -> st.SearchStrategy[slice]:
    bound = st.none() | st.integers(-5, 5)
    return st.builds(slice, bound, bound, st.none() | st.sampled_from([1, 1, 2, 3, -1]))


@st.composite
def tensors_of_places(draw: st.DrawFn) -> Places:
    size = draw(st.sampled_from([1, 2, 2, 2, 3]))
    row = st.lists(st.integers(-3, 3), min_size=size, max_size=size)
    content = draw(row | st.lists(row, min_size=1, max_size=2) | st.integers(-2, 2))
    return Places(content, draw(st.sampled_from(["int64", "int64", "int32", "int16", "list", "numpy"])))


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, ...]) -> Places:
    rank = draw(st.integers(0, min(2, len(shape))))
    start = draw(st.integers(0, len(shape) - rank))
    part = shape[start : start + rank]
    flat = draw(st.lists(st.booleans(), min_size=int(np.prod(part)), max_size=int(np.prod(part))))
    return Places(np.array(flat, bool).reshape(part).tolist(), "mask")


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, ...], Any]:
    shape = draw(st.sampled_from(SHAPES))
    one = st.one_of(
        st.integers(-4, 4),
        slices(),
        slices(),
        st.none(),
        st.just(Ellipsis),
        st.booleans(),
        tensors_of_places(),
        tensors_of_places(),
        masks(shape),
    )
    parts = draw(st.lists(one, min_size=0, max_size=4).filter(lambda parts: parts.count(Ellipsis) < 2))
    if len(parts) == 1 and draw(st.booleans()):
        return shape, parts[0]
    return shape, tuple(parts)


def index_for(library: Any, index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(one.of(library) if isinstance(one, Places) else one for one in index)
    return index.of(library) if isinstance(index, Places) else index


def base(library: Any, shape: tuple[int, ...]) -> Any:
    count = int(np.prod(shape))
    return (library.arange(count, dtype=library.float64) + 1).reshape(shape)


def outcome(function: Any, library: Any) -> Any:
    try:
        return function(library)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        return type(error)


def check(function: Any) -> None:
    expected, found = outcome(function, torch), outcome(function, zerograd)
    if isinstance(expected, type):
        assert found is expected
        return
    assert not isinstance(found, type), found
    for theirs, ours in zip(expected, found, strict=True):
        assert tuple(ours.shape) == tuple(theirs.shape)
        assert str(ours.dtype) == str(theirs.dtype)
        np.testing.assert_array_equal(ours.numpy().copy(), theirs.numpy())


@settings(max_examples=300, deadline=None)
@given(cases())
def test_reading(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    note(case)

    def read(library: Any) -> Any:
        x = base(library, shape).requires_grad_()
        out = x[index_for(library, index)]
        (out * base(library, tuple(out.shape)) ** 2).sum().backward()
        return out.detach(), x.grad

    check(read)


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from(["number", "scalar", "full", "row", "wrong", "stretched"]))
def test_writing(case: tuple[tuple[int, ...], Any], kind: str) -> None:
    shape, index = case
    note((case, kind))

    def write(library: Any) -> Any:
        x = base(library, shape)
        part = tuple(x[index_for(library, index)].shape)
        value = {
            "number": lambda: 7,
            "scalar": lambda: library.tensor(7.0, dtype=library.float64),
            "full": lambda: -base(library, part),
            "row": lambda: -base(library, part[1:]),
            "wrong": lambda: -base(library, (*part, 2)),
            "stretched": lambda: -base(library, (1, 1, *part)),
        }[kind]()
        if kind in ("full", "row") and repeats(index):
            return (x,)  # which of several writes to one place stays is not promised
        x[index_for(library, index)] = value
        return (x,)

    check(write)


def repeats(index: Any) -> bool:
    """Whether an index tensor may name a place twice."""
    return any(
        isinstance(one, Places) and one.kind != "mask" for one in (index if isinstance(index, tuple) else [index])
    )


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_gradients_of_writing(case: tuple[tuple[int, ...], Any], number: bool) -> None:
    shape, index = case
    note(case)
    if repeats(index):
        return

    def write(library: Any) -> Any:
        leaf = base(library, shape).requires_grad_()
        x = leaf * 2
        part = tuple(x[index_for(library, index)].shape)
        value = base(library, () if number else part).requires_grad_()
        x[index_for(library, index)] = value * 3
        (x * x.detach()).sum().backward()
        return leaf.grad, library.zeros_like(value) if value.grad is None else value.grad

    check(write)


def test_accumulating_writes_add_up_repeated_places() -> None:
    for library in (torch, zerograd):
        x = library.zeros(3, 4)
        x.index_put_(
            (library.tensor([0, 0, 2]), library.tensor([1, 1, 3])), library.tensor([1.0, 2.0, 5.0]), accumulate=True
        )
        assert x.tolist() == [[0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 5]]


@pytest.mark.parametrize(
    ("index", "error"),
    [
        ((slice(None, None, -1),), ValueError),
        ((3,), IndexError),
        ((0, 0, 0), IndexError),
        ((1.5,), IndexError),
        (("a",), TypeError),
        (({},), IndexError),
        ((slice(0, 1.5),), TypeError),
    ],
)
def test_wrong_indices_raise_pytorchs_error(index: Any, error: type[Exception]) -> None:
    for library in (torch, zerograd):
        x = library.zeros(3, 4)
        with pytest.raises(error):
            x[index]
        with pytest.raises(error):
            x[index] = 1
        assert x.tolist() == [[0.0] * 4] * 3


@pytest.mark.parametrize("value", ["a", None, [1.0], np.ones(4)])
def test_values_that_are_no_tensors_raise_type_errors(value: Any) -> None:
    for library in (torch, zerograd):
        with pytest.raises(TypeError):
            library.zeros(3, 4)[0] = value


def test_places_out_of_range_are_refused_at_the_line_that_uses_them() -> None:
    x, places = zerograd.zeros(3, 4), zerograd.tensor([0, 3])
    with pytest.raises(IndexError):
        x[places]
    with pytest.raises(IndexError):
        x.index_select(0, places)
    with pytest.raises(RuntimeError):
        x.gather(0, places[None])
    with pytest.raises(IndexError):
        x[places] = 1


@pytest.mark.parametrize("index", [True, False, (True,), (False,), None, ...])
@pytest.mark.parametrize("value", [3, [1.0, 2.0, 3.0], [1.0] * 5])
def test_writing_at_a_bool_alone_writes_everything_or_nothing(index: Any, value: Any) -> None:
    """``x[True]`` is ``x[None]``, converting the value; ``x[False]`` does not even look at it."""

    def write(library: Any) -> Any:
        x = library.zeros(2, 3)
        x[index] = library.tensor(value)
        return (x,)

    check(write)


def test_a_step_backwards_is_refused_before_a_mask_that_does_not_fit() -> None:
    for library in (torch, zerograd):
        x, mask = library.zeros(2, 3), library.ones(3, dtype=library.bool)
        with pytest.raises(ValueError, match="step"):
            x[mask, ::-1]
        with pytest.raises(IndexError):
            x[mask]


def test_indexing_with_numbers_and_slices_gives_views_with_masks_and_tensors_copies() -> None:
    x = zerograd.zeros(3, 4)
    for index in (0, slice(1), (..., 1), None, zerograd.tensor(1), (slice(None), 2)):
        assert x[index]._base is x
    for index in ([0], zerograd.tensor([0]), zerograd.ones(3, dtype=zerograd.bool), True):
        assert x[index]._base is None
