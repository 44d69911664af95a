"""A slice of computed data is data: where it lies is no part of the structure, and nothing else is different."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch as pytorch
from autograd.scenario import at_most_pending

import zerograd
from zerograd.ir.record import recorder
from zerograd.runtime import realize
from zerograd.tensor import view

COUNT, WIDTH, BATCH = 256, 12, 8


def structures() -> tuple[int, ...]:
    """How much the recorder remembers."""
    own = recorder.own
    return len(own.plans), len(own.interned), sum(len(one) for tables in own.tables_under.values() for one in tables)


def flat(step: Callable[[int], None], places: Iterable[int]) -> bool:
    """Whether steps that look at other places are met again."""
    recorder.own.forget()
    realize.launch()
    seen = []
    for place in places:
        step(place)
        realize.launch()
        seen.append(structures())
    return seen[3] == seen[-1]


def data(kind: str = "computed") -> Any:
    array = np.arange(COUNT * WIDTH, dtype=np.float32).reshape(COUNT, WIDTH) / 100
    return zerograd.tensor(array) if kind == "computed" else zerograd.from_numpy(array)


BATCHES: dict[str, Callable[[Any, int], Any]] = {
    "slice": lambda x, i: x[i : i + BATCH],
    "slice, then another shape": lambda x, i: x[i : i + BATCH].view(BATCH, 3, -1).transpose(1, 2).flatten(1),
    "rows and columns": lambda x, i: x[i : i + BATCH, i % 3 : i % 3 + 12 - 2],
    "with a step": lambda x, i: x[i : i + 2 * BATCH : 2],
    "a row": lambda x, i: x[i][None],
    "narrow": lambda x, i: x.narrow(0, i, BATCH),
    "select": lambda x, i: x.select(0, i).unsqueeze(0),
    "chunk": lambda x, i: x.chunk(COUNT // BATCH)[i // BATCH],
    "unbind": lambda x, i: x.unbind()[i].expand(2, -1),
    "of another shape": lambda x, i: x.view(COUNT, 3, 4)[i, :2],
    "a detached batch": lambda x, i: x.detach()[i : i + BATCH],
}


@pytest.mark.parametrize("kind", ["computed", "shared with NumPy"])
@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
def test_a_loop_over_data_does_the_same_again_and_again(batch: Callable[[Any, int], Any], kind: str) -> None:
    x = data(kind)
    w = zerograd.ones(batch(x, 0).shape[-1], requires_grad=True)

    def step(place: int) -> None:
        loss = (batch(x, place) * w).sum()
        loss.backward()
        w.grad = None
        loss.item()

    assert flat(step, range(0, COUNT - 2 * BATCH, BATCH + 3))


def test_slices_of_what_has_a_history_are_part_of_the_structure() -> None:
    """The counter-example: what the test above counts does grow where places are structure."""
    w = zerograd.ones(COUNT, requires_grad=True)
    assert not flat(lambda place: w[place : place + 2].sum().backward(), range(20))


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("kind", ["computed", "shared with NumPy"])
def test_slices_are_what_pytorch_sees(batch: Callable[[Any, int], Any], kind: str) -> None:
    x = data(kind)
    theirs = pytorch.tensor(x.tolist())
    for place in (0, 5, 100):
        ours, expected = batch(x, place), batch(theirs, place)
        assert (ours + 0).tolist() == (expected + 0).tolist()
        assert (ours.shape, ours.stride()) == (expected.shape, expected.stride())
        assert ((ours + 0).stride(), ours.storage_offset()) == ((expected + 0).stride(), expected.storage_offset())


def test_remembered_views_are_bounded() -> None:
    x = zerograd.zeros(view.MOST_VIEWS + 100)
    for i in range(len(x)):
        assert x[i].storage_offset() == i
    assert len(view.known_views) <= view.MOST_VIEWS


def outcomes(library: Any) -> list[Any]:
    """Changes after, before and between reads of slices; in each library the same."""
    found: list[Any] = []
    x = library.arange(12.0).reshape(6, 2).clone()
    part = x[2:4]
    twice = part * 2
    x[2:4] = -1.0  # after the read
    again = part * 2
    part += 5.0
    found += [twice.tolist(), again.tolist(), x.tolist(), (part * 1).tolist()]

    x = library.arange(6.0).clone()
    whole, part = x * 1, x[1:3]
    x.mul_(2)
    read = part + whole[1:3]
    x[:2].zero_()
    found += [read.tolist(), part.tolist(), (part + 0).tolist()]

    leaf = library.arange(8.0).clone()[2:5].requires_grad_()  # a leaf that is a slice of data
    (leaf * leaf).sum().backward()
    found += [leaf.is_leaf, leaf.grad.tolist()]
    inner = leaf[1:]
    (inner * 3).sum().backward()
    found += [inner.requires_grad, leaf.grad.tolist()]
    with library.no_grad():
        leaf[0] = 9.0
    found += [leaf.tolist(), (leaf * 1).tolist()]

    w = library.ones(4, requires_grad=True)
    found += [w.detach()[1:3].requires_grad, (w.detach()[1:3] * 2).requires_grad, (w[1:3] * 2).requires_grad]
    with library.no_grad():
        part = w[1:3]
        part += 1
    (w[1:3] * w.detach()[1:3]).sum().backward()
    found += [w.tolist(), w.grad.tolist()]

    y = w * 2  # a slice of a value whose trace is over, and which has a history
    y.tolist()
    part = y[1:3]
    part.tolist()
    (part * part).sum().backward()
    found += [w.grad.tolist()]

    x = library.zeros(4)
    with library.no_grad():
        part = x[:2]
    x.add_(w)  # data no longer
    (x[:2] * x[2:]).sum().backward()
    found += [w.grad.tolist(), part.tolist(), x[:2].requires_grad]
    return found


@pytest.mark.parametrize("pending", [0, 3, 1000])
def test_changes_in_place_around_reads_of_slices(pending: int) -> None:
    with at_most_pending(pending):
        assert outcomes(zerograd) == outcomes(pytorch)


@pytest.mark.parametrize("size", [40, 100_000], ids=["copied", "read at once"])
def test_memory_shared_with_numpy_is_read_when_it_is_used(size: int) -> None:
    array = np.zeros(size, np.float64)
    x = zerograd.from_numpy(array)
    part = x[size // 2 :]
    array[:] = 1
    one = part * 1
    array[:] = 2
    two = part * 1
    part[0] = 7.0
    array[-1] = 3
    assert (one.sum().item(), two.sum().item()) == (size / 2, size)
    assert array[size // 2] == 7
    assert (part[:1].item(), part[-1].item(), (part * 1)[-1].item()) == (7, 3, 3)


def test_changes_in_place_reach_an_array_that_one_variable_holds() -> None:
    array = np.zeros(3)
    x = zerograd.from_numpy(array)
    for expected in (1, 2, 3):
        x.add_(1)
        assert array.tolist() == [expected] * 3
    array[0] = 10
    assert x.add_(1).tolist() == array.tolist() == [11, 4, 4]
    del array
    x.add_(1)
    assert x._storage.shared is None


def test_memory_that_becomes_shared_after_the_read() -> None:
    x = zerograd.arange(6.0).clone()
    part = x[2:4]
    before = part * 1
    x.numpy()[:] = 9.0
    assert (before.tolist(), (part * 1).tolist()) == ([2, 3], [9, 9])


def typed(library: Any) -> list[Any]:
    x = library.arange(8, dtype=library.float32).reshape(2, 4).clone()
    z = library.complex(x, -x)
    return [
        x.view(library.int32)[1, 2:],
        x[1:, 1:3].view(library.int16),
        x[1].view(library.float64),
        x.view(library.uint8)[:, 3:9],
        x.t().contiguous().view(library.int16)[1:],
        z.real[1:],
        z[1:].imag,
        z[:, 1].real,
        library.view_as_real(z)[1, 1:],
        library.view_as_real(z[1:, 1:]),
        library.view_as_complex(x.view(2, 2, 2)[1:]),
        x.diagonal()[1:],
        x[1:].unfold(1, 2, 1)[:, 1:],
        x.as_strided((2, 2), (1, 3), 1)[1:],
        x.expand(3, 2, 4)[1:, :, 2],
    ]


def test_slices_of_views_as_other_types_and_in_patterns() -> None:
    for ours, theirs in zip(typed(zerograd), typed(pytorch), strict=True):
        if theirs.is_complex() or ours.dtype.is_complex:
            assert (ours + 0).tolist() == (theirs + 0).tolist()
            continue
        assert str(ours.dtype) == str(theirs.dtype)
        assert (ours + 0).tolist() == (theirs + 0).tolist()
        assert ours.stride() == theirs.stride()


def test_arguments_that_equal_remembered_ones_are_still_checked() -> None:
    x = zerograd.zeros(2, 3)
    for right, wrong, error in [
        (lambda: x.select(0, 1), lambda: x.select(0, 1.0), TypeError),
        (lambda: x.transpose(0, 1), lambda: x.transpose(0, 1.0), TypeError),
        (lambda: x.view(3, 2), lambda: x.view(3.0, 2), TypeError),
        (lambda: x[1], lambda: x[1.0], IndexError),
        (lambda: x[0:1], lambda: x[0:1.0], TypeError),
        (lambda: x.unsqueeze(1), lambda: x.unsqueeze(1.0), TypeError),
    ]:
        right()
        with pytest.raises(error):
            wrong()
    assert x[True].shape == (1, 2, 3)
    assert x[1].shape == (3,)
