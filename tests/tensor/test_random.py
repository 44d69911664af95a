"""The public random functions: PyTorch's numbers, shapes, dtypes, histories and errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import zerograd


def both(scenario: Any, seed: int = 3) -> tuple[Any, Any]:
    """What a scenario gives with zerograd and with PyTorch, from one seed; the streams must end equal."""
    results = []
    for library in (zerograd, torch):
        before = library.get_rng_state()
        library.manual_seed(seed)
        try:
            results.append((scenario(library), library.get_rng_state().numpy().copy()))
        finally:
            library.set_rng_state(before)
    (ours, our_state), (theirs, their_state) = results
    np.testing.assert_array_equal(our_state, their_state)
    return ours, theirs


def history(tensor: Any) -> str | None:
    return tensor.grad_fn and tensor.grad_fn.name()


def check(scenario: Any) -> None:
    ours, theirs = both(scenario)
    assert str(ours.dtype) == str(theirs.dtype)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.requires_grad == theirs.requires_grad
    assert history(ours) == history(theirs)
    np.testing.assert_array_equal(ours.tolist(), theirs.tolist())


SCENARIOS: dict[str, Any] = {
    "rand": lambda t: t.rand(2, 3),
    "rand of a tuple": lambda t: t.rand((2, 3)),
    "rand of a list": lambda t: t.rand([4, 5]),
    "rand of size=": lambda t: t.rand(size=(4, 5)),
    "rand of no elements": lambda t: t.rand(0, 3),
    "rand of no dimensions": lambda t: t.rand(()),
    "rand of a dtype": lambda t: t.rand(7, dtype=t.float64),
    "rand of complex": lambda t: t.rand(7, dtype=t.complex64),
    "rand with gradients": lambda t: t.rand(3, requires_grad=True),
    "rand from a generator": lambda t: t.rand(3, generator=t.Generator().manual_seed(5)),
    "rand out": lambda t: t.rand(2, 3, out=t.zeros(2, 3, dtype=t.float64)),
    "rand on a device": lambda t: t.rand(2, 3, device="cpu"),
    "randn": lambda t: t.randn(3, 4),
    "randn of many": lambda t: t.randn(33, 7),
    "randn of complex": lambda t: t.randn(9, dtype=t.complex128),
    "randn of half": lambda t: t.randn(40, dtype=t.half),
    "randint": lambda t: t.randint(10, (3, 4)),
    "randint from": lambda t: t.randint(-5, 10, (3, 4)),
    "randint by name": lambda t: t.randint(low=2, high=9, size=(5,)),
    "randint high and size by name": lambda t: t.randint(high=9, size=(5,)),
    "randint low, high=": lambda t: t.randint(2, high=9, size=(5,)),
    "randint of a dtype": lambda t: t.randint(0, 2, (5,), dtype=t.float32),
    "randint of bool": lambda t: t.randint(0, 2, (5,), dtype=t.bool),
    "randperm": lambda t: t.randperm(17),
    "randperm of a dtype": lambda t: t.randperm(17, dtype=t.int32),
    "randperm from a generator": lambda t: t.randperm(17, generator=t.Generator()),
    "rand_like": lambda t: t.rand_like(t.zeros(3, 4)),
    "rand_like in another dtype": lambda t: t.rand_like(t.zeros(3, 4).long(), dtype=t.float64),
    "rand_like with gradients": lambda t: t.rand_like(t.zeros(3), requires_grad=True),
    "rand_like of a leaf": lambda t: t.rand_like(t.zeros(3, requires_grad=True)),
    "rand_like of a transposed tensor": lambda t: t.rand_like(t.zeros(3, 4).transpose(0, 1)),
    "randn_like": lambda t: t.randn_like(t.zeros(5, 4)),
    "randn_like of a transposed tensor": lambda t: t.randn_like(t.zeros(5, 4).transpose(0, 1)),
    "randint_like": lambda t: t.randint_like(t.zeros(3, 4), 5),
    "randint_like from": lambda t: t.randint_like(t.zeros(3, 4), 2, 5, dtype=t.int8),
    "bernoulli": lambda t: t.bernoulli(t.full((3, 4), 0.3)),
    "bernoulli of float64": lambda t: t.bernoulli(t.full((3, 4), 0.3, dtype=t.float64)),
    "bernoulli with p": lambda t: t.bernoulli(t.zeros(3, 4), 0.3),
    "bernoulli with p of int": lambda t: t.bernoulli(t.zeros(3, 4).long(), p=0.3),
    "bernoulli method": lambda t: t.full((3, 4), 0.5).bernoulli(),
    "bernoulli out": lambda t: t.bernoulli(t.full((3,), 0.5), out=t.zeros(3).long()),
    "bernoulli with history": lambda t: t.bernoulli(t.full((3,), 0.5, requires_grad=True)),
    "multinomial": lambda t: t.multinomial(t.tensor([1.0, 2, 3, 4]), 3),
    "multinomial of rows": lambda t: t.multinomial(t.tensor([[1.0, 2], [3, 4]]), 5, replacement=True),
    "multinomial method": lambda t: t.tensor([0.0, 2, 3, 4]).multinomial(1),
    "multinomial out": lambda t: t.multinomial(t.ones(3), 2, out=t.zeros(2).long()),
    "normal of numbers": lambda t: t.normal(1.0, 2.0, (3, 4)),
    "normal of integers and size=": lambda t: t.normal(mean=1, std=2, size=(3, 4), dtype=t.float64),
    "normal of means": lambda t: t.normal(t.tensor([0.0, 10, 20])),
    "normal of means and a std": lambda t: t.normal(t.tensor([0.0, 10, 20]), 0.1),
    "normal of stds": lambda t: t.normal(5.0, t.tensor([0.0, 10, 20])),
    "normal of means and stds": lambda t: t.normal(t.zeros(4, 1), t.tensor([0.0, 10, 20])),
    "normal with history": lambda t: t.normal(t.zeros(3, requires_grad=True), 1.0),
    "normal with history of std": lambda t: t.normal(1.0, t.ones(3, requires_grad=True)),
    "normal out": lambda t: t.normal(t.zeros(3), 1.0, out=t.zeros(3)),
    "poisson": lambda t: t.poisson(t.tensor([0.0, 3, 30])),
    "poisson with history": lambda t: t.poisson(t.ones(3, requires_grad=True)),
    "binomial": lambda t: t.binomial(t.full((2,), 40.0), t.tensor([0.1, 0.5])),
    "uniform_": lambda t: t.zeros(3, 4).uniform_(),
    "uniform_ bounds": lambda t: t.zeros(3, 4).uniform_(-1, 2),
    "uniform_ by name": lambda t: t.zeros(3, 4).uniform_(to=2),
    "uniform_ from a dict": lambda t: t.zeros(3, 4).uniform_(**{"from": -3, "to": -2}),
    "normal_": lambda t: t.zeros(30).normal_(),
    "normal_ by name": lambda t: t.zeros(30).normal_(std=3),
    "random_": lambda t: t.zeros(30).long().random_(),
    "random_ of float": lambda t: t.zeros(30).random_(),
    "random_ to": lambda t: t.zeros(30).random_(9),
    "random_ to by name": lambda t: t.zeros(30).random_(to=9),
    "random_ from to": lambda t: t.zeros(30).random_(-9, 9),
    "random_ from": lambda t: t.zeros(30).long().random_(5, None),
    "random_ everything": lambda t: t.zeros(30).long().random_(-(2**63), None),
    "bernoulli_": lambda t: t.zeros(30).bernoulli_(),
    "bernoulli_ of p": lambda t: t.zeros(30).bernoulli_(0.1),
    "bernoulli_ of tensor p": lambda t: t.zeros(30, 3).long().bernoulli_(t.tensor([0.1, 0.5, 0.9])),
    "exponential_": lambda t: t.zeros(30).exponential_(lambd=2),
    "cauchy_": lambda t: t.zeros(30).cauchy_(1, 2),
    "geometric_": lambda t: t.zeros(30).geometric_(0.3),
    "log_normal_": lambda t: t.zeros(30).log_normal_(0, 0.5),
    "uniform_ into a transposed tensor": lambda t: t.zeros(3, 4).transpose(0, 1).uniform_(),
    "normal_ into a transposed tensor": lambda t: t.zeros(7, 9).transpose(0, 1).normal_(),
    "normal_ into a column": lambda t: t.zeros(20, 3).select(1, 1).normal_(),
    "normal_ into a row": lambda t: t.zeros(3, 20).select(0, 1).normal_(),
    "bernoulli_ into a transposed tensor": lambda t: (
        t.zeros(3, 4).transpose(0, 1).bernoulli_(t.tensor([0.1, 0.5, 0.9]))
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_random_function_gives_pytorchs_tensor(scenario: Any) -> None:
    check(scenario)


IN_PLACE = {
    "uniform_": (), "normal_": (), "random_": (), "exponential_": (), "cauchy_": (), "log_normal_": (),
    "bernoulli_": (), "geometric_": (0.5,),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_fill_counts_as_a_change_and_leaves_gradients_of_zero(name: str) -> None:
    def scenario(t: Any) -> Any:
        x = t.ones(4, requires_grad=True)
        y = x * 2
        filled = getattr(y, name)(*IN_PLACE[name])
        assert filled is y
        assert y._version == 1
        label = history(y)
        (y * 3).sum().backward()
        return label, x.grad.tolist(), y.tolist()

    ours, theirs = both(scenario)
    assert ours == theirs


def test_a_fill_is_seen_through_every_view() -> None:
    base = zerograd.zeros(4, 5)
    row = base.select(0, 1)
    row.uniform_(1, 2)
    assert (base.select(0, 1).numpy() >= 1).all()
    assert (base.select(0, 0).numpy() == 0).all()
    assert base._version == 1


def test_gradients_of_drawn_numbers_are_zero() -> None:
    def scenario(t: Any) -> Any:
        p = t.full((5,), 0.5, requires_grad=True)
        (t.bernoulli(p) * p).sum().backward()
        return p.grad.tolist()

    ours, theirs = both(scenario)
    assert ours == theirs


def test_out_is_resized() -> None:
    out = zerograd.zeros(0)
    zerograd.manual_seed(1)
    assert zerograd.rand(2, 3, out=out) is out
    torch.manual_seed(1)
    np.testing.assert_array_equal(out.numpy(), torch.rand(2, 3).numpy())


def test_draws_follow_the_program_not_the_computing() -> None:
    zerograd.manual_seed(1)
    first, second = zerograd.rand(3) * 2, zerograd.rand(3)
    torch.manual_seed(1)
    expected = torch.rand(3) * 2, torch.rand(3)
    np.testing.assert_array_equal(second.numpy(), expected[1].numpy())
    np.testing.assert_array_equal(first.numpy(), expected[0].numpy())


# --- generators and states -----------------------------------------------------------------------


def test_seeds_are_pytorchs() -> None:
    for seed in (0, -1, 2**64 - 1, True, 1.9, "7"):
        assert zerograd.manual_seed(seed).initial_seed() == torch.manual_seed(seed).initial_seed()
        assert zerograd.initial_seed() == torch.initial_seed()
        assert zerograd.rand(2).tolist() == torch.rand(2).tolist()


def test_manual_seed_returns_the_default_generator() -> None:
    assert zerograd.manual_seed(2) is zerograd.default_generator
    assert zerograd.random.default_generator is zerograd.default_generator
    seed = zerograd.seed()
    assert seed == zerograd.initial_seed() == zerograd.default_generator.initial_seed()
    assert isinstance(zerograd.default_generator, zerograd.Generator)


def test_states_go_to_pytorch_and_come_back() -> None:
    ours, theirs = zerograd.Generator().manual_seed(5), torch.Generator()
    zerograd.randn(3, generator=ours)
    theirs.set_state(torch.from_numpy(ours.get_state().numpy()))
    expected = torch.randn(5, generator=theirs)
    assert zerograd.randn(5, generator=ours).tolist() == expected.tolist()
    ours.set_state(zerograd.tensor(theirs.get_state().numpy()))
    assert zerograd.randn(5, generator=ours).tolist() == torch.randn(5, generator=theirs).tolist()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), lambda g: g.clone_state()])
def test_a_copied_generator_continues_like_its_original(copied: Any) -> None:
    original = zerograd.Generator().manual_seed(5)
    twin = copied(original)
    assert isinstance(twin, zerograd.Generator)
    assert zerograd.rand(3, generator=twin).tolist() == zerograd.rand(3, generator=original).tolist()


def test_a_generator_is_on_the_cpu() -> None:
    assert zerograd.Generator().device == zerograd.device("cpu")
    assert zerograd.Generator(device=zerograd.device("cpu")).device.type == "cpu"
    with pytest.raises(RuntimeError):
        zerograd.Generator("cuda")


def test_fork_rng_leaves_the_stream_where_it_was() -> None:
    def scenario(t: Any) -> list[Any]:
        numbers = []
        with t.random.fork_rng():
            numbers.append(t.randn(3).tolist())
        with t.random.fork_rng(enabled=False):
            numbers.append(t.randn(3).tolist())
        with t.random.fork_rng(devices=[]):
            t.manual_seed(9)
        numbers.append(t.randn(3).tolist())
        return numbers

    ours, theirs = both(scenario)
    assert ours == theirs


def test_fork_rng_restores_after_an_error() -> None:
    before = zerograd.get_rng_state()
    with pytest.raises(RuntimeError), zerograd.random.fork_rng():
        zerograd.rand(3).uniform_(2, 1)
    assert before.tolist() == zerograd.get_rng_state().tolist()


# --- wrong calls ---------------------------------------------------------------------------------

WRONG: dict[str, Any] = {
    "negative size": lambda t: t.rand(-1),
    "size of a string": lambda t: t.rand("a"),
    "size of a float": lambda t: t.rand(2.5),
    "two sizes": lambda t: t.rand((2, 3), 4),
    "no size": lambda t: t.rand(),
    "rand of int": lambda t: t.rand(2, dtype=t.int64),
    "randn of int": lambda t: t.randn(2, dtype=t.int64),
    "unknown option": lambda t: t.rand(2, names_=3),
    "no generator": lambda t: t.rand(2, generator=3),
    "gradients of int": lambda t: t.randint(0, 5, (2,), requires_grad=True),
    "out of another dtype": lambda t: t.rand(2, out=t.zeros(2), dtype=t.float64),
    "randint without size": lambda t: t.randint(5),
    "randint with size as int": lambda t: t.randint(2, 5, 2),
    "randint of float": lambda t: t.randint(5.0, (2,)),
    "randint of an empty range": lambda t: t.randint(5, 5, (2,)),
    "randint out of range": lambda t: t.randint(0, 300, (2,), dtype=t.int8),
    "randperm of float": lambda t: t.randperm(3.0),
    "randperm of a negative": lambda t: t.randperm(-1),
    "rand_like of int": lambda t: t.rand_like(t.zeros(2).long()),
    "rand_like of a list": lambda t: t.rand_like([1.0]),
    "normal of numbers without size": lambda t: t.normal(0.0, 1.0),
    "normal of negative std": lambda t: t.normal(0.0, -1.0, (2,)),
    "normal of negative stds": lambda t: t.normal(t.zeros(2), t.tensor([1.0, -1])),
    "normal of shapes that do not fit": lambda t: t.normal(t.zeros(2), t.ones(3)),
    "normal of a tensor with size": lambda t: t.normal(t.zeros(2), 1.0, (2,)),
    "normal of int means": lambda t: t.normal(t.zeros(2).long(), 1.0),
    "bernoulli of 2": lambda t: t.bernoulli(t.full((2,), 2.0)),
    "bernoulli of int": lambda t: t.bernoulli(t.zeros(2).long()),
    "bernoulli of a number": lambda t: t.bernoulli(0.5),
    "multinomial of int": lambda t: t.multinomial(t.ones(2).long(), 1),
    "multinomial out of float": lambda t: t.multinomial(t.ones(3), 2, out=t.zeros(2)),
    "multinomial of too many": lambda t: t.multinomial(t.ones(3), 4),
    "multinomial of negatives": lambda t: t.multinomial(-t.ones(3), 2, True),
    "poisson of a negative": lambda t: t.poisson(-t.ones(3)),
    "poisson of int": lambda t: t.poisson(t.ones(3).long()),
    "binomial of int": lambda t: t.binomial(t.ones(3).long(), t.ones(3)),
    "uniform_ of int": lambda t: t.zeros(2).long().uniform_(),
    "uniform_ of a wrong keyword": lambda t: t.zeros(2).uniform_(a=1),
    "uniform_ of bounds in the wrong order": lambda t: t.zeros(2).uniform_(2, 1),
    "uniform_ of three bounds": lambda t: t.zeros(2).uniform_(2, 1, 4),
    "uniform_ of a leaf": lambda t: t.zeros(2, requires_grad=True).uniform_(),
    "uniform_ of a view of a leaf": lambda t: t.zeros(2, 2, requires_grad=True).select(0, 1).uniform_(),
    "normal_ of negative std": lambda t: t.zeros(2).normal_(0, -1),
    "normal_ of a string": lambda t: t.zeros(2).normal_("a"),
    "random_ of float": lambda t: t.zeros(2).random_(2.5),
    "random_ with from alone": lambda t: t.zeros(2).random_(**{"from": 3}),
    "random_ of an empty range": lambda t: t.zeros(2).random_(3, 3),
    "geometric_ without p": lambda t: t.zeros(2).geometric_(),
    "geometric_ of 0": lambda t: t.zeros(2).geometric_(0),
    "exponential_ of 0": lambda t: t.zeros(2).exponential_(0),
    "cauchy_ of 0": lambda t: t.zeros(2).cauchy_(0, 0),
    "log_normal_ of 0": lambda t: t.zeros(2).log_normal_(0, 0),
    "bernoulli_ of 2": lambda t: t.zeros(2).bernoulli_(2),
    "bernoulli_ of p that does not fit": lambda t: t.zeros(2).bernoulli_(t.full((3,), 0.5)),
    "fill of an expanded tensor": lambda t: t.zeros(1, 3).expand(2, 3).uniform_(),
    "no state": lambda t: t.set_rng_state(None),
    "a state of floats": lambda t: t.set_rng_state(t.zeros(5056)),
    "a state too short": lambda t: t.set_rng_state(t.zeros(50, dtype=t.uint8)),
    "a state of zeros": lambda t: t.set_rng_state(t.zeros(5056, dtype=t.uint8)),
    "no seed": lambda t: t.manual_seed(None),
    "a seed too large": lambda t: t.manual_seed(2**64),
    "a generator's seed of float": lambda t: t.Generator().manual_seed(1.5),
    "an offset": lambda t: t.Generator().get_offset(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_call_raises_pytorchs_error_and_leaves_the_stream(wrong: Any) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011  PyTorch says which
        wrong(torch)
    before = zerograd.get_rng_state().tolist()
    with pytest.raises(expected.type) as error:
        wrong(zerograd)
    assert type(error.value) is expected.type
    assert len(str(error.value)) > 15
    assert zerograd.get_rng_state().tolist() == before
