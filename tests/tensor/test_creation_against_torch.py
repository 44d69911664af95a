"""Creation functions give PyTorch's values, dtypes, shapes and errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import zerograd

Make = Any

CREATIONS: dict[str, Make] = {
    "zeros": lambda t: t.zeros(2, 3),
    "zeros of a list": lambda t: t.zeros([2, 3], dtype=t.int16),
    "zeros by keyword": lambda t: t.zeros(size=(2, 3)),
    "zeros without sizes": lambda t: t.zeros(()),
    "zeros of a Size": lambda t: t.zeros(t.ones(2, 3).shape, dtype=float),
    "ones": lambda t: t.ones(4, dtype=t.bool),
    "ones of tensors": lambda t: t.ones(t.tensor(2), t.tensor(3)),
    "full": lambda t: t.full((2, 2), 3),
    "full of floats": lambda t: t.full((2, 2), 3.5),
    "full of bools": lambda t: t.full((2,), True),
    "full of complex": lambda t: t.full((2,), 1j),
    "full with dtype": lambda t: t.full((2,), 3, dtype=t.float64),
    "full of negative zero": lambda t: 1 / t.full((2,), -0.0),
    "full of a tensor": lambda t: t.full((2,), t.tensor(2.5)),
    "full_like": lambda t: t.full_like(t.ones(2, 3), 7),
    "zeros_like": lambda t: t.zeros_like(t.ones(2, dtype=t.int32)),
    "ones_like with dtype": lambda t: t.ones_like(t.ones(2), dtype=t.int64),
    "new_zeros": lambda t: t.ones(2, dtype=t.float64).new_zeros(3),
    "new_ones": lambda t: t.ones(2, dtype=t.float64).new_ones((3, 1), dtype=t.int64),
    "new_full": lambda t: t.ones(2, dtype=t.int64).new_full((3,), 2.7),
    "new_tensor": lambda t: t.ones(2, dtype=t.int64).new_tensor([1.5, 2.5]),
    "eye": lambda t: t.eye(3),
    "eye of two sizes": lambda t: t.eye(2, 3, dtype=t.int64),
    "scalar_tensor": lambda t: t.scalar_tensor(3),
    "tril_indices": lambda t: t.tril_indices(3, 4, -1),
    "triu_indices": lambda t: t.triu_indices(4, 3, 1),
    "complex": lambda t: t.complex(t.ones(2), t.zeros(2)),
    "empty_strided": lambda t: t.zeros_like(t.empty_strided((2, 3), (1, 2))),
    "vander": lambda t: t.vander(t.tensor([1, 2, 3])),
    "combinations": lambda t: t.combinations(t.arange(4.0), 2, with_replacement=True),
    "cartesian_prod": lambda t: t.cartesian_prod(t.arange(2), t.arange(3)),
    "block_diag": lambda t: t.block_diag(t.ones(2, 2), t.tensor(3.0), t.ones(1, 3)),
    "tensor": lambda t: t.tensor([[1, 2], [3, 4]]),
    "tensor of floats": lambda t: t.tensor([1, 2.5]),
    "tensor of bools": lambda t: t.tensor([True, False]),
    "tensor of bools and numbers": lambda t: t.tensor([True, 2]),
    "tensor of complex": lambda t: t.tensor([1, 2j]),
    "tensor of nothing": lambda t: t.tensor([]),
    "tensor of empty rows": lambda t: t.tensor([[], []]),
    "tensor with dtype": lambda t: t.tensor([1.9, -1.9], dtype=t.int32),
    "tensor of negative bytes": lambda t: t.tensor([30, -1], dtype=t.uint8),
    "tensor of wrapping arrays": lambda t: t.tensor(np.array([300, -1]), dtype=t.uint8),
    "tensor of tensors": lambda t: t.tensor([t.tensor(1.0), t.tensor([2.0])]),
    "tensor of nested tensors": lambda t: t.tensor([[t.tensor(1), 2], [3, 4]]),
    "tensor of a range": lambda t: t.tensor(range(4)),
    "tensor of tuples": lambda t: t.tensor(((1, 2), (3, 4))),
    "tensor of an array": lambda t: t.tensor(np.arange(3, dtype=np.int16)),
    "tensor of a NumPy number": lambda t: t.tensor(np.float32(2.5)),
    "tensor of NumPy numbers": lambda t: t.tensor([np.float64(1), np.float64(2)]),
    "tensor in half precision": lambda t: t.tensor([1.1, 2.2], dtype=t.bfloat16).float(),
    "as_tensor": lambda t: t.as_tensor([1, 2]),
    "as_tensor with dtype": lambda t: t.as_tensor(np.arange(3), dtype=t.float32),
    "asarray": lambda t: t.asarray([1.0, 2.0]),
    "frombuffer": lambda t: t.frombuffer(bytearray(b"\x01\x02\x03\x04"), dtype=t.int16, count=1, offset=2),
    "Tensor of sizes": lambda t: t.zeros_like(t.Tensor(2, 3)),
    "Tensor of data": lambda t: t.Tensor([[1, 2], [3, 4]]),
    "LongTensor": lambda t: t.LongTensor([1, 2]),
    "FloatTensor of an array": lambda t: t.FloatTensor(np.arange(3)),
    "meshgrid": lambda t: t.meshgrid(t.arange(2), t.arange(3), indexing="xy")[0],
    "logspace": lambda t: t.logspace(-1, 2, 4, base=2),
    "linspace of integers": lambda t: t.linspace(0, 10, 4, dtype=t.int64),
    "linspace of one": lambda t: t.linspace(3, 10, 1),
    "linspace of none": lambda t: t.linspace(3, 10, 0),
    "repeat_interleave": lambda t: t.repeat_interleave(t.tensor([2, 0, 1])),
}


def same(ours: Any, theirs: torch.Tensor, rtol: float = 0, atol: float = 0) -> None:
    assert str(ours.dtype) == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.stride() == theirs.stride()
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CREATIONS)
def test_a_creation_function_gives_pytorchs_tensor(name: str) -> None:
    same(CREATIONS[name](zerograd), CREATIONS[name](torch), rtol=1e-6)


NUMBERS = [0, 1, 5, -3, 2.5, 0.1, 10]


@pytest.mark.parametrize("dtype", [None, "float32", "float64", "int64", "int32", "uint8", "float16"])
def test_ranges_agree(dtype: str | None) -> None:
    for start, end, step in itertools.product(NUMBERS, NUMBERS, [1, 2, -1, 0.3, -0.7, 3]):
        results = []
        for library in (torch, zerograd):
            kind = None if dtype is None else getattr(library, dtype)
            try:
                results.append(library.arange(start, end, step, dtype=kind))
            except (RuntimeError, ValueError) as error:
                results.append(type(error))
        theirs, ours = results
        if isinstance(theirs, type):
            assert ours is theirs, (start, end, step)
        else:
            assert not isinstance(ours, type), (start, end, step)
            same(ours, theirs, rtol=2e-3 if dtype == "float16" else 1e-6, atol=1e-6)


def test_linspace_has_pytorchs_rounding() -> None:
    for start, end, steps in [(0, 1, 10), (-1, 1, 7), (0.1, 0.7, 13), (5, -3, 100)]:
        for dtype in ("float32", "float64"):
            theirs = torch.linspace(start, end, steps, dtype=getattr(torch, dtype))
            ours = zerograd.linspace(start, end, steps, dtype=getattr(zerograd, dtype))
            atol = 1e-7 if dtype == "float32" else 1e-15
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=3e-7, atol=atol)


WRONG: dict[str, Make] = {
    "negative size": lambda t: t.zeros(-1),
    "size of a float": lambda t: t.zeros(2.5),
    "size of a string": lambda t: t.zeros("a"),
    "ragged rows": lambda t: t.tensor([[1, 2], [3]]),
    "string": lambda t: t.tensor("a"),
    "strings": lambda t: t.tensor(["a"]),
    "None": lambda t: t.tensor(None),
    "None inside": lambda t: t.tensor([None]),
    "dict": lambda t: t.tensor({1: 2}),
    "set": lambda t: t.tensor({1}),
    "too large": lambda t: t.tensor([2**70]),
    "too large for uint8": lambda t: t.tensor(300, dtype=t.uint8),
    "too large for int32": lambda t: t.tensor([2.0**40], dtype=t.int32),
    "nan as integer": lambda t: t.tensor([float("nan")], dtype=t.int64),
    "complex as float": lambda t: t.tensor([1j], dtype=t.float32),
    "tensors of several elements": lambda t: t.tensor([t.ones(3), t.zeros(3)]),
    "array of strings": lambda t: t.tensor(np.array(["a"])),
    "arange away from its end": lambda t: t.arange(5, 1),
    "arange with step 0": lambda t: t.arange(1, 5, 0),
    "arange of infinity": lambda t: t.arange(0, float("inf")),
    "linspace of a negative number of steps": lambda t: t.linspace(0, 1, -1),
    "unknown device": lambda t: t.zeros(2, device="abacus"),
    "Tensor of a float": lambda t: t.Tensor(2.5),
    "Tensor of a string": lambda t: t.Tensor("a"),
    "LongTensor of floats": lambda t: t.LongTensor(t.ones(2)),
    "integers that require gradients": lambda t: t.ones(2, dtype=t.int64, requires_grad=True),
    "from_numpy of a list": lambda t: t.from_numpy([1]),
    "from_numpy with negative strides": lambda t: t.from_numpy(np.arange(3)[::-1]),
    "from_numpy of one element, backwards": lambda t: t.from_numpy(np.arange(1)[::-1]),
    "from_numpy of another byte order": lambda t: t.from_numpy(np.ones(3, dtype=">f4")),
    "frombuffer of nothing": lambda t: t.frombuffer(bytearray(), dtype=t.uint8),
    "cat of nothing": lambda t: t.cat([]),
    "cat of different shapes": lambda t: t.cat([t.ones(2, 3), t.ones(3, 2)]),
    "cat of scalars": lambda t: t.cat([t.tensor(1), t.tensor(2)]),
    "stack of different shapes": lambda t: t.stack([t.ones(2), t.ones(3)]),
    "stack of numbers": lambda t: t.stack([1, 2]),
    "eye of a negative size": lambda t: t.eye(-1),
    "unknown option": lambda t: t.zeros(2, colour=1),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_raise_pytorchs_error(name: str) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  compared below
        WRONG[name](torch)
    with pytest.raises(theirs.type):
        WRONG[name](zerograd)


GPU: dict[str, Any] = {
    "device=": lambda t: t.zeros(2, device="cuda"),
    "to": lambda t: t.zeros(2).to("cuda"),
    "cuda": lambda t: t.zeros(2).cuda(),
    "random": lambda t: t.rand(2, device="cuda"),
}


@pytest.mark.parametrize("name", GPU)
def test_a_gpu_is_refused_as_by_pytorch_built_without_cuda(name: str) -> None:
    """PyTorch built with CUDA raises another type where there is no driver, and gives a tensor where there is one."""
    before = zerograd.get_rng_state().tolist()
    with pytest.raises(AssertionError, match="CUDA"):
        GPU[name](zerograd)
    assert zerograd.get_rng_state().tolist() == before
    if torch.version.cuda is None and torch.version.hip is None:
        with pytest.raises(AssertionError, match="CUDA"):
            GPU[name](torch)


def test_requires_grad_makes_a_leaf() -> None:
    for made in (
        zerograd.zeros(2, requires_grad=True),
        zerograd.tensor([1.0], requires_grad=True),
        zerograd.arange(3.0, requires_grad=True),
        zerograd.full((2,), 1.5, requires_grad=True),
        zerograd.empty_like(zerograd.ones(2), requires_grad=True),
    ):
        assert made.requires_grad
        assert made.is_leaf


def test_out_receives_the_result() -> None:
    for library in (torch, zerograd):
        out = library.empty(0)
        assert library.ones(2, 3, out=out) is out
        assert out.tolist() == [[1.0] * 3] * 2
        out = library.empty(4)
        assert library.arange(4, out=out) is out
        assert out.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_the_default_dtype_is_that_of_new_floats() -> None:
    try:
        zerograd.set_default_dtype(zerograd.float64)
        for made in (zerograd.zeros(1), zerograd.tensor(1.0), zerograd.arange(1.0), zerograd.Tensor([1])):
            assert made.dtype is zerograd.float64
        assert zerograd.tensor([1j]).dtype is zerograd.complex128
    finally:
        zerograd.set_default_dtype(zerograd.float32)


def test_devices_are_values() -> None:
    for library in (torch, zerograd):
        device = library.device("cuda:1")
        assert repr(device) == "device(type='cuda', index=1)"
        assert (device.type, device.index, str(device)) == ("cuda", 1, "cuda:1")
        assert device == library.device("cuda", 1)
        assert library.zeros(1, device="cpu").device == library.device("cpu")
        assert {library.device("cpu"): 1}[library.device("cpu")] == 1
        with library.device("cpu"):
            assert library.zeros(2).device.type == "cpu"
