"""Tensors and NumPy share memory; copies, pickles and DLPack keep what PyTorch keeps."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import zerograd

BOTH = [torch, zerograd]


@pytest.mark.parametrize("t", BOTH)
def test_writes_are_seen_on_both_sides_of_from_numpy(t: Any) -> None:
    array = np.arange(6.0).reshape(2, 3)
    x = t.from_numpy(array)
    array[0, 1] = 10
    assert x[0, 1].item() == 10
    x[1] = -1
    x.add_(1)
    assert array.tolist() == [[1, 11, 3], [0, 0, 0]]
    y = x * 2
    array[:] = 0
    assert y.sum().item() == 30


@pytest.mark.parametrize("t", BOTH)
def test_writes_are_seen_on_both_sides_of_numpy(t: Any) -> None:
    x = t.arange(6.0).reshape(2, 3) + 0
    column = x.t()[1].numpy()
    column += 10
    assert x.tolist() == [[0, 11, 2], [3, 14, 5]]
    x.zero_()
    assert column.tolist() == [0, 0]
    x[:, 1] = 7
    assert column.tolist() == [7, 7]


@pytest.mark.parametrize("t", BOTH)
def test_strides_of_an_array_are_the_tensors(t: Any) -> None:
    array = np.arange(24.0).reshape(4, 6)
    x = t.from_numpy(array[::2, ::3].T)
    assert x.stride() == (3, 12)
    x[0, 1] = -5
    assert array[2, 0] == -5
    assert (x + 1).tolist() == (array[::2, ::3].T + 1).tolist()


@pytest.mark.parametrize("t", BOTH)
def test_an_array_that_is_not_writable_warns(t: Any) -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="writ"):
        t.from_numpy(array)


@pytest.mark.parametrize("t", BOTH)
def test_arrays_are_refused_where_gradients_would_be_lost(t: Any) -> None:
    x = t.ones(2, requires_grad=True)
    for read in (lambda: x.numpy(), lambda: np.asarray(x)):
        with pytest.raises(RuntimeError):
            read()
    assert x.numpy(force=True).tolist() == [1, 1]
    assert x.detach().numpy().tolist() == [1, 1]
    with pytest.raises(TypeError):
        t.ones(2, dtype=t.bfloat16).numpy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's __array_wrap__
@pytest.mark.parametrize("t", BOTH)
def test_numpys_functions_take_tensors(t: Any) -> None:
    x = t.arange(4.0)
    assert np.asarray(x).dtype == np.float32
    assert np.array(x, dtype=np.int64).tolist() == [0, 1, 2, 3]
    assert np.sum(np.asarray(x)) == 6
    assert np.ones(5)[t.tensor([0, 1])].tolist() == [1, 1]
    assert isinstance(np.sin(x), t.Tensor)
    assert [1, 2, 3][t.tensor(1)] == 2


@pytest.mark.parametrize("t", BOTH)
def test_dlpack_shares_memory(t: Any) -> None:
    array = np.arange(3.0)
    x = t.from_dlpack(array)
    array[0] = 5
    assert x.tolist() == [5, 1, 2]
    y = t.arange(3.0)
    there = np.from_dlpack(y)
    y.add_(1)
    assert there.tolist() == [1, 2, 3]
    assert y.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError):
        t.ones(1, requires_grad=True).__dlpack__()


def test_tensors_pass_between_the_libraries() -> None:
    theirs = torch.arange(3.0)
    ours = zerograd.from_dlpack(theirs)
    theirs[0] = 9
    assert ours.tolist() == [9, 1, 2]
    assert torch.from_dlpack(zerograd.arange(3)).tolist() == [0, 1, 2]


# --- copies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", BOTH)
def test_a_deep_copy_has_its_own_storage_and_gradient(t: Any) -> None:
    x = t.arange(3.0).requires_grad_()
    (x * x).sum().backward()
    x.note = ["kept"]
    y = copy.deepcopy(x)
    assert y.requires_grad
    assert y.is_leaf
    assert y.grad.tolist() == [0, 2, 4]
    assert y.note == ["kept"]
    assert y.note is not x.note
    with t.no_grad():
        y.add_(1)
        y.grad.zero_()
    assert x.tolist() == [0, 1, 2]
    assert x.grad.tolist() == [0, 2, 4]


@pytest.mark.parametrize("t", BOTH)
def test_a_deep_copy_keeps_aliases_and_strides(t: Any) -> None:
    x = t.arange(6.0).reshape(2, 3)
    a, b = copy.deepcopy([x.t(), x[0]])
    assert a.stride() == (1, 3)
    b[1] = 50
    assert a[1, 0].item() == 50
    assert x[0, 1].item() == 1
    with pytest.raises(RuntimeError):
        copy.deepcopy(x.requires_grad_() * 2)


@pytest.mark.parametrize("t", BOTH)
def test_a_shallow_copy_shares_the_storage(t: Any) -> None:
    x = t.arange(3.0).requires_grad_()
    y = copy.copy(x)
    assert y is not x
    assert y.requires_grad
    assert y.data_ptr() == x.data_ptr()
    with t.no_grad():
        y[0] = 7
    assert x[0].item() == 7


@pytest.mark.parametrize("t", BOTH)
@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "complex64", "bfloat16", "float16"])
def test_a_pickle_keeps_dtype_values_strides_and_requires_grad(t: Any, dtype: str) -> None:
    x = t.arange(6).reshape(2, 3).to(getattr(t, dtype))
    for one in (x, x.t(), x[1], x[:, ::2], x[0, 0], x[:0]):
        back = pickle.loads(pickle.dumps(one))
        assert back.dtype is one.dtype
        assert back.stride() == one.stride()
        assert back.tolist() == one.tolist()
    if dtype == "float32":
        leaf = pickle.loads(pickle.dumps(x.requires_grad_()))
        assert leaf.requires_grad
        assert leaf.is_leaf
        assert pickle.loads(pickle.dumps(x * 2)).is_leaf


def test_tensors_pickled_together_stay_aliases() -> None:
    x = zerograd.arange(4.0)
    a, b = pickle.loads(pickle.dumps([x, x[1:]]))
    a[1] = 9
    assert b.tolist() == [9, 2, 3]


@pytest.mark.parametrize("t", BOTH)
def test_subclasses_are_made_and_kept(t: Any) -> None:
    class Labelled(t.Tensor):
        pass

    for x in (Labelled([1, 2]), t.ones(2).as_subclass(Labelled)):
        assert type(x) is Labelled
        assert x.sum().item() in (3, 2)
    data = t.ones(2)
    made = t.Tensor._make_subclass(Labelled, data, True)
    assert made.requires_grad
    assert made.data_ptr() == data.data_ptr()


# --- memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", BOTH)
def test_addresses_tell_aliases(t: Any) -> None:
    x = t.zeros(3, 4)
    assert x.data_ptr() == x.view(12).data_ptr() == x.detach().data_ptr()
    assert x[1].data_ptr() - x.data_ptr() == 16
    assert x.clone().data_ptr() != x.data_ptr()
    assert x.untyped_storage().data_ptr() == x[1].untyped_storage().data_ptr()
    assert x[1].untyped_storage().nbytes() == 48
    assert t.empty(0).data_ptr() == 0
    x.add_(1)
    assert x.tolist() == [[1.0] * 4] * 3


@pytest.mark.parametrize("t", BOTH)
def test_set_and_resize_change_the_window(t: Any) -> None:
    x = t.arange(6.0)
    y = t.empty(0).set_(x)
    assert y.is_set_to(x)
    y[0] = 5
    assert x[0].item() == 5
    z = t.empty(0).set_(x.untyped_storage(), 1, (2, 2), (2, 1))
    assert z.tolist() == [[1, 2], [3, 4]]
    assert x.resize_(2, 2).tolist() == [[5, 1], [2, 3]]
    assert x.resize_(8).shape == (8,)
    with pytest.raises(RuntimeError):
        t.ones(2, requires_grad=True).resize_(3)


@pytest.mark.parametrize("t", BOTH)
def test_data_can_be_replaced(t: Any) -> None:
    x = t.arange(3.0).requires_grad_()
    before = x.detach()[1:]
    x.data = t.ones(2, 2)
    assert x.requires_grad
    assert x.shape == (2, 2)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [[3, 3], [3, 3]]
    assert before.tolist() == [1, 2]


@pytest.mark.parametrize("t", BOTH)
def test_memory_formats_are_kept(t: Any) -> None:
    x = t.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=t.channels_last)
    assert x.stride() == (24, 1, 8, 2)
    assert x.is_contiguous(memory_format=t.channels_last)
    assert not x.is_contiguous()
    assert (x + 1).stride() == x.stride()
    assert t.empty_like(x).stride() == x.stride()
    assert x.clone(memory_format=t.contiguous_format).stride() == (24, 12, 4, 1)
    assert x.contiguous().tolist() == t.arange(24.0).reshape(1, 2, 3, 4).tolist()
    assert x.contiguous(memory_format=t.channels_last) is x


def test_shared_memory_is_seen_by_forked_processes() -> None:
    x = zerograd.zeros(3).share_memory_()
    assert x.is_shared()

    def write() -> None:
        x[1] = 5

    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert x.tolist() == [0, 5, 0]


@pytest.mark.parametrize("t", BOTH)
def test_in_place_changes_of_detached_tensors_get_a_history_of_their_own(t: Any) -> None:
    w = t.tensor(3.0).requires_grad_()
    h = (w * 2).detach()
    h.mul_(w)
    h += w
    assert h.requires_grad
    h.backward()
    assert w.grad.item() == 7
    first = t.ones(2) * w.detach()
    second = first.detach()
    second.add_(w)
    assert not first.requires_grad
    assert first.tolist() == [6, 6]


@pytest.mark.parametrize("t", BOTH)
def test_elements_are_read_one_by_one(t: Any) -> None:
    x = t.arange(6).reshape(2, 3)
    assert [row.tolist() for row in x] == [[0, 1, 2], [3, 4, 5]]
    assert 3 in x
    assert t.tensor(9) not in x
    assert len(x) == 2
    assert reversed(x).tolist() == [[3, 4, 5], [0, 1, 2]]
    assert (int(x[0, 1]), float(x[0, 1]), bool(x[0, 1]), complex(x[0, 1])) == (1, 1.0, True, 1 + 0j)
    assert x.clone().apply_(lambda one: one * 2).tolist() == [[0, 2, 4], [6, 8, 10]]
    for wrong in (lambda: len(t.tensor(1)), lambda: iter(t.tensor(1)), lambda: x[0].__index__()):
        with pytest.raises(TypeError):
            wrong()
    for wrong in (lambda: x.item(), lambda: bool(x), lambda: None in x):
        with pytest.raises(RuntimeError):
            wrong()


@pytest.mark.parametrize("t", BOTH)
def test_number_limits(t: Any) -> None:
    texts = [repr(t.finfo(one)) for one in (t.float16, t.bfloat16, t.float32, t.float64, t.complex64)]
    texts += [repr(t.iinfo(one)) for one in (t.int8, t.uint8, t.int32, t.int64)]
    assert texts == [
        repr(torch.finfo(one)) for one in (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64)
    ] + [repr(torch.iinfo(one)) for one in (torch.int8, torch.uint8, torch.int32, torch.int64)]
    for wrong in (lambda: t.finfo(t.int8), lambda: t.iinfo(t.float32), lambda: t.iinfo(t.bool)):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize("t", BOTH)
def test_sizes_are_tuples(t: Any) -> None:
    size = t.zeros(2, 3).shape
    assert repr(size) == "torch.Size([2, 3])"
    assert size == (2, 3)
    assert isinstance(size, t.Size)
    assert size.numel() == 6
    assert isinstance(size[:1], t.Size)
    assert isinstance(size + (4,), t.Size)  # noqa: RUF005  what is tested
    assert pickle.loads(pickle.dumps(size)) == size
    with pytest.raises(TypeError):
        t.Size([1.5])
