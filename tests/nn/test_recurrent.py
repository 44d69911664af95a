"""RNN, LSTM, GRU and their cells: outputs and gradients for padded, unbatched and packed inputs, in both libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nn.scenarios import agree, numbers, raised

import zerograd
from zerograd.ir.record import recorder

KINDS = ["RNN", "LSTM", "GRU"]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"num_layers": 3},
    "both ways": {"num_layers": 2, "bidirectional": True},
    "no bias": {"bias": False},
    "batch first": {"batch_first": True, "bidirectional": True},
}


def parts(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


def results(module: Any, x: Any, output: Any, state: Any) -> Any:
    loss = (output * output).sum() + sum((one * one * (i + 1)).sum() for i, one in enumerate(parts(state)))
    loss.backward()
    return output, parts(state), x.grad, {name: one.grad for name, one in module.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_sequences(kind: str, options: dict[str, Any]) -> None:
    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4, **options)
        x = numbers(library, 5, 2, 3).requires_grad_()
        return results(module, x, *module(x))

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_with_an_initial_state(kind: str) -> None:
    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4, 2, bidirectional=True)
        x = numbers(library, 5, 2, 3).requires_grad_()
        state = tuple(numbers(library, 4, 2, 4, end=i).requires_grad_() for i in (1, 2))
        output, final = module(x, state if kind == "LSTM" else state[0])
        return results(module, x, output, final), state[0].grad

    agree(scenario)


LENGTHS = {"one step": (1, 1), "one sequence": (7, 1), "primes": (11, 5), "no sequence": (3, 0)}


@pytest.mark.parametrize("kind", [*KINDS, "relu"])
@pytest.mark.parametrize("length", LENGTHS.values(), ids=list(LENGTHS))
def test_first_and_second_derivatives(kind: str, length: tuple[int, int]) -> None:
    """Of all inputs, states and weights, both ways through the sequence, in float64."""

    def scenario(library: Any) -> Any:
        options = {"nonlinearity": "relu"} if kind == "relu" else {}
        module = getattr(library.nn, "RNN" if kind == "relu" else kind)(3, 5, bidirectional=True, **options).double()
        x = numbers(library, *length, 3).double().requires_grad_()
        state = [numbers(library, 2, length[1], 5, end=i).double().requires_grad_() for i in (1, 2)]
        output, final = module(x, tuple(state) if kind == "LSTM" else state[0])
        values = [output, *parts(final)]
        inputs = [x, *state[: len(parts(final))], *module.parameters()]
        loss = sum((one.sin() * (i + 1)).sum() for i, one in enumerate(values))
        first = library.autograd.grad(loss, inputs, create_graph=True)
        again = sum((one * one * (i + 1)).sum() for i, one in enumerate(first))
        return values, first, library.autograd.grad(again, inputs)

    agree(scenario, tolerance=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_of_one_result_alone(kind: str) -> None:
    """The gradient of the output, of h or of c without the others, and of one step of the output."""

    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4)
        x = numbers(library, 5, 2, 3).requires_grad_()
        output, final = module(x)
        chosen = [output, *parts(final), output[2], output[1:3, 0]]
        inputs = [x, *module.parameters()]
        return [library.autograd.grad((one * one).sum(), inputs, retain_graph=True) for one in chosen]

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_backpropagation(kind: str) -> None:
    """A state carried on without its history, and one with it."""

    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4)
        x = numbers(library, 6, 2, 3)
        state, losses = None, []
        for i in range(3):
            output, state = module(x[2 * i : 2 * i + 2], state)
            losses.append((output * output).sum())
            if i == 0:
                state = tuple(one.detach() for one in state) if kind == "LSTM" else state.detach()
        library.stack(losses).sum().backward()
        return losses, [one.grad for one in module.parameters()]

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(kind: str, dtype: str) -> None:
    """Within roundings of the halves: zerograd rounds a step's results only, PyTorch some of the terms too."""
    found = []
    for library in (zerograd, pytest.importorskip("torch")):
        module = getattr(library.nn, kind)(3, 4, bidirectional=True)
        library.manual_seed(0)
        for i, one in enumerate(module.parameters()):
            one.data = numbers(library, *one.shape, end=0.3 + 0.1 * i)
        module = module.to(getattr(library, dtype))
        x = numbers(library, 5, 2, 3).to(getattr(library, dtype)).requires_grad_()
        output, _ = module(x)
        (output * output).sum().backward()
        values = [output, x.grad, *(one.grad for one in module.parameters())]
        assert all(one.dtype is getattr(library, dtype) for one in values)
        found.append([one.detach().float().numpy() for one in values])
    spacing = 2**-10 if dtype == "float16" else 2**-7
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=8 * spacing, atol=8 * spacing * abs(theirs).max())


@pytest.mark.parametrize("kind", KINDS)
def test_complex_numbers(kind: str) -> None:
    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4).to(library.complex128)
        x = (numbers(library, 5, 2, 3) * (1 + 0.5j)).to(library.complex128).requires_grad_()
        output, _ = module(x)
        (output * output.conj()).real.sum().backward()
        return output, x.grad, [one.grad for one in module.parameters()]

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_are_named_as_in_pytorch(kind: str, dtype: str) -> None:
    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4).to(getattr(library, dtype))
        output, state = module(numbers(library, 5, 2, 3).to(getattr(library, dtype)))
        return [one.grad_fn.name() for one in (output, *parts(state))]

    agree(scenario)


def test_a_projected_lstm() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True)
        x = numbers(library, 5, 2, 3).requires_grad_()
        return results(module, x, *module(x))

    agree(scenario)


def test_a_relu_rnn() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.RNN(3, 4, nonlinearity="relu")
        x = numbers(library, 5, 2, 3).requires_grad_()
        return results(module, x, *module(x))

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_unbatched_sequences(kind: str) -> None:
    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4, batch_first=True)
        x = numbers(library, 5, 3).requires_grad_()
        output, state = module(x)
        again, _ = module(x, state)
        return results(module, x, output + again, state)

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_packed_sequences(kind: str, both_ways: bool, with_state: bool) -> None:
    def scenario(library: Any) -> Any:
        rnn = library.nn.utils.rnn
        module = getattr(library.nn, kind)(3, 4, 2, bidirectional=both_ways)
        x = numbers(library, 5, 3, 3).requires_grad_()
        packed = rnn.pack_padded_sequence(x, [2, 5, 3], enforce_sorted=False)
        state = numbers(library, 4 if both_ways else 2, 3, 4)
        first = None if not with_state else (state, state * 2) if kind == "LSTM" else state
        output, final = module(packed, first)
        padded, lengths = rnn.pad_packed_sequence(output)
        return results(module, x, padded, final), lengths, list(output.batch_sizes.shape)

    agree(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_of_packed_sequences(kind: str) -> None:
    def scenario(library: Any) -> Any:
        module = getattr(library.nn, kind)(3, 4, bidirectional=True).double()
        x = numbers(library, 11, 3).double().requires_grad_()
        lengths = library.tensor([5, 3, 2, 1])
        rows = [x[sum(lengths[:i]) : sum(lengths[: i + 1])] for i in range(4)]
        output, final = module(library.nn.utils.rnn.pack_sequence(rows))
        loss = (output.data.sin()).sum() + sum((one * one).sum() for one in parts(final))
        inputs = [x, *module.parameters()]
        first = library.autograd.grad(loss, inputs, create_graph=True)
        return output.data, first, library.autograd.grad(sum((one * one).sum() for one in first), inputs)

    agree(scenario, tolerance=1e-9)


def test_other_lengths_are_no_new_structure() -> None:
    """Packed batches of equally many sequences, steps and elements differ in data only."""
    module = zerograd.nn.LSTM(3, 4, bidirectional=True)
    data = zerograd.ones(10, 3)

    def step(*batch_sizes: int) -> int:
        packed = zerograd.nn.utils.rnn.PackedSequence(data, zerograd.tensor(batch_sizes))
        module(packed)[0].data.sum().backward()
        assert module.weight_hh_l0.grad.abs().sum().item() > 0  # reading computes: the next step is recorded anew
        module.zero_grad()
        return len(recorder.own.calls) + len(recorder.own.interned)

    step(3, 2, 2, 2, 1)
    known = step(3, 2, 2, 2, 1)
    assert step(3, 3, 2, 1, 1) == known
    assert step(3, 3, 3, 1) > known


def test_dropout_between_layers_draws_pytorchs_numbers() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.GRU(3, 4, 3, dropout=0.5)
        x = numbers(library, 5, 2, 3)
        train = module(x)
        return train, module.eval()(x), library.rand(1)

    agree(scenario)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(kind: str, bias: bool) -> None:
    def scenario(library: Any) -> Any:
        cell = getattr(library.nn, kind)(3, 4, bias)
        x = numbers(library, 2, 3).requires_grad_()
        state = cell(x)
        for _ in range(2):
            state = cell(x, state)
        single = cell(x[0])
        loss = sum((one * one).sum() for one in parts(state) + parts(single))
        loss.backward()
        return parts(state), parts(single), x.grad, [one.grad for one in cell.parameters()]

    agree(scenario)


def test_weights_are_found_as_in_pytorch() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.LSTM(2, 3, 2)
        module.flatten_parameters()
        module.weight_hh_l0 = library.nn.Parameter(library.zeros(12, 3))
        return [[one.shape for one in group] for group in module.all_weights], module(numbers(library, 4, 1, 2))[0]

    agree(lambda library: [[tuple(one) for one in group] for group in scenario(library)[0]])
    agree(lambda library: scenario(library)[1])


def lstm(library: Any, **options: Any) -> Any:
    return library.nn.LSTM(3, 4, **options)


WRONG = {
    "input size": lambda library: lstm(library)(library.ones(5, 2, 7)),
    "input dimensions": lambda library: lstm(library)(library.ones(5, 2, 2, 3)),
    "no steps": lambda library: lstm(library)(library.ones(0, 2, 3)),
    "state dtype": lambda library: library.nn.GRU(3, 4)(library.ones(5, 2, 3), library.ones(1, 2, 4).double()),
    "input dtype": lambda library: lstm(library)(library.ones(5, 2, 3, dtype=library.float64)),
    "state size": lambda library: library.nn.GRU(3, 4)(library.ones(5, 2, 3), library.ones(1, 2, 5)),
    "state batch": lambda library: library.nn.GRU(3, 4)(library.ones(5, 2, 3), library.ones(1, 3, 4)),
    "state dimensions": lambda library: library.nn.GRU(3, 4)(library.ones(5, 2, 3), library.ones(2, 4)),
    "unbatched state": lambda library: library.nn.GRU(3, 4)(library.ones(5, 3), library.ones(1, 1, 4)),
    "cell state": lambda library: lstm(library)(library.ones(5, 2, 3), (library.ones(1, 2, 4), library.ones(1, 2, 5))),
    "dropout": lambda library: lstm(library, dropout=2),
    "dropout kind": lambda library: lstm(library, dropout=True),
    "bias": lambda library: lstm(library, bias=1),
    "batch_first": lambda library: lstm(library, batch_first="yes"),
    "hidden size": lambda library: library.nn.GRU(3, 0),
    "size kind": lambda library: library.nn.GRU(3.5, 4),
    "layers": lambda library: lstm(library, num_layers=0),
    "projection": lambda library: lstm(library, proj_size=4),
    "projected GRU": lambda library: library.nn.GRU(3, 4, proj_size=2),
    "nonlinearity": lambda library: library.nn.RNN(3, 4, nonlinearity="sine"),
    "mode": lambda library: library.nn.RNNBase("LSMT", 3, 4),
    "cell input": lambda library: library.nn.GRUCell(3, 4)(library.ones(2, 5)),
    "cell dimensions": lambda library: library.nn.GRUCell(3, 4)(library.ones(2, 5, 3)),
    "cell hidden": lambda library: library.nn.GRUCell(3, 4)(library.ones(2, 3), library.ones(2, 5)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_wrong_calls_raise_pytorchs_errors(wrong: Any) -> None:
    agree(lambda library: raised(lambda: wrong(library)))
