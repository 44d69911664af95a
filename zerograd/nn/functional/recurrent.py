"""Recurrent layers: LSTM, GRU and plain, over padded and packed sequences, and single cells.

Each layer multiplies its inputs of all times in one product; the loop over time keeps the product with the
hidden state only, and is one op (``ops/recurrent``). Projected states and complex numbers go step by step. A layer is
one remembered call, so a sequence of known length costs one look-up; where packed sequences end is data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from zerograd.dtypes import float32, int64
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.record import recorder
from zerograd.nn import functional as F
from zerograd.nn.functional.recurrent_steps import (
    STEPS,
    State,
    Weights,
    packed_loop,
    padded_loop,
    project,
    weights_of,
)
from zerograd.ops.indexing import index_write
from zerograd.ops.movement import reshape, zeros_of
from zerograd.ops.recurrent.gru import gru as gru_steps
from zerograd.ops.recurrent.lstm import lstm as lstm_steps
from zerograd.ops.recurrent.rnn import rnn as rnn_steps
from zerograd.ops.source import filled
from zerograd.tensor.door import apply, labelled, remembered
from zerograd.tensor.functions.joining import cat, stack
from zerograd.tensor.tensor import Tensor

BatchSizes = tuple[int, ...] | None

# --- all steps at once -----------------------------------------------------------------------------------


@labelled(lambda x, *_: "MkldnnRnnLayerBackward0" if x.dtype is float32 else "StackBackward0")
def _lstm_loop(x: Node, h: Node, c: Node, w: Node, reverse: bool) -> tuple[Node, ...]:
    return lstm_steps(x, h, c, w, reverse=reverse)[:2]


@labelled("StackBackward0")
def _gru_loop(x: Node, h: Node, w: Node, b: Node | None, reverse: bool) -> tuple[Node, ...]:
    b = filled(0, w.type.with_shape((w.shape[1],))) if b is None else b
    return gru_steps(x, h, w, b, reverse=reverse)[:1]


@labelled("StackBackward0")
def _rnn_loop(x: Node, h: Node, w: Node, reverse: bool, function: str) -> tuple[Node, ...]:
    return (rnn_steps(x, h, w, reverse=reverse, function=function),)


def _lstm_layer(input: Tensor, state: State, weights: Weights, reverse: bool) -> Any:
    return apply(_lstm_loop, (project("LSTM", input, weights), *state, weights.w_hh), (reverse,))


def _gru_layer(input: Tensor, state: State, weights: Weights, reverse: bool) -> Any:
    """The biases of the gates r and z join those of the inputs; that of n is reset with the product."""
    bias, of_n = weights.b_ih, weights.b_hh
    if bias is not None and of_n is not None:
        both = 2 * weights.w_hh.shape[1]
        bias, of_n = cat([bias[:both] + of_n[:both], bias[both:]]), of_n[both:]
    projected = F.linear(input, weights.w_ih, bias)
    return apply(_gru_loop, (projected, *state, weights.w_hh, of_n), (reverse,))


def _rnn_layer(function: str) -> Any:
    def layer(input: Tensor, state: State, weights: Weights, reverse: bool) -> Any:
        projected = project("RNN", input, weights)
        return apply(_rnn_loop, (projected, *state, weights.w_hh), (reverse, function))

    return layer


LAYERS: dict[str, Callable[[Tensor, State, Weights, bool], Any]] = {
    "LSTM": _lstm_layer,
    "GRU": _gru_layer,
    "RNN_TANH": _rnn_layer("tanh"),
    "RNN_RELU": _rnn_layer("relu"),
}


def _runs_as_loop(input: Tensor, state: State, weights: Weights) -> bool:
    """Whether one op takes all steps: real numbers of one dtype, and no projection."""
    kind = input.dtype
    given = (*state, weights.w_ih, weights.w_hh, weights.b_ih, weights.b_hh)
    same = all(one is None or one.dtype is kind for one in given)
    return weights.w_hr is None and kind.is_floating_point and same and recorder.own.autocast is None


# --- one layer in one direction --------------------------------------------------------------------------


@remembered
def _layer(input: Tensor, state: Any, parameters: Any, *, mode: str, reverse: bool = False, biases: bool = True) -> Any:
    """The outputs of all times, and the last state.

    Shapes: input (T, N, input), state (N, H) each.
    """
    weights, state = weights_of(parameters, biases), tuple(state)
    if _runs_as_loop(input, state, weights):
        states = LAYERS[mode](input, state, weights, reverse)
        return states[0], [one[0 if reverse else -1] for one in states]
    return padded_loop(STEPS[mode], project(mode, input, weights), state, weights, reverse)


@remembered
def _packed_layer(
    input: Tensor,
    state: Any,
    parameters: Any,
    places: Tensor,
    ends: Tensor,
    *,
    mode: str,
    shape: tuple[int, int] = (0, 0),
    biases: bool = True,
) -> Any:
    """`_layer` on packed sequences, which are unpacked for it, each from the end at which it starts.

    What the layer computes after a sequence's end is nobody's, and has no gradient.

    Args:
        input: (sum of the lengths, input).
        places: for each row of ``input``, where it goes in a batch of ``shape``, (T, N), counted row by row.
        ends: the same for the last step of each sequence, (N,).
    """
    padded = apply(_padded, (input, places), shape)
    states = LAYERS[mode](padded, tuple(state), weights_of(parameters, biases), False)
    return _taken(states[0], places), [_taken(one, ends) for one in states]


def _padded(x: Node, places: Node, steps: int, batch: int) -> Node:
    rows = zeros_of(x.type.with_shape((steps * batch, x.shape[1])))
    return reshape(index_write(rows, x, places, accumulate=False), shape=(steps, batch, x.shape[1]))


def _taken(x: Tensor, places: Tensor) -> Any:
    return x.flatten(0, 1).index_select(0, places)


@remembered
def _packed_steps(
    input: Tensor, state: Any, parameters: Any, *, mode: str, reverse: bool, batch_sizes: tuple[int, ...], biases: bool
) -> Any:
    """`_packed_layer` step by step, with the sequences that still run."""
    weights = weights_of(parameters, biases)
    projected = project(mode, input, weights)
    return packed_loop(STEPS[mode], projected, tuple(state), weights, batch_sizes, reverse)


@lru_cache(maxsize=256)
def _places(batch_sizes: tuple[int, ...], reverse: bool) -> tuple[Array, Array]:
    """Where the rows of packed sequences, and their last steps, lie in a padded batch: see `_packed_layer`."""
    sizes = np.asarray(batch_sizes, np.int64)
    batch = int(sizes[0])
    lengths = (sizes[:, None] > np.arange(batch)).sum(0)
    running = [np.arange(size) for size in batch_sizes]
    times = [lengths[one] - 1 - t if reverse else np.full(len(one), t) for t, one in enumerate(running)]
    places = np.concatenate(times) * batch + np.concatenate(running)
    return places, (lengths - 1) * batch + np.arange(batch)


def _run_layer(
    input: Tensor,
    state: State,
    parameters: tuple[Tensor, ...],
    mode: str,
    reverse: bool,
    batch_sizes: BatchSizes,
    biases: bool,
) -> tuple[Tensor, State]:
    """One layer in one direction, by the way that takes these operands."""
    if batch_sizes is None:
        return _layer(input, state, parameters, mode=mode, reverse=reverse, biases=biases)
    if not _runs_as_loop(input, state, weights_of(parameters, biases)):
        return _packed_steps(
            input, state, parameters, mode=mode, reverse=reverse, batch_sizes=batch_sizes, biases=biases
        )
    shape = (len(batch_sizes), batch_sizes[0])
    places, ends = (Tensor.of_array(one, TensorType(one.shape, int64)) for one in _places(batch_sizes, reverse))
    return _packed_layer(input, state, parameters, places, ends, mode=mode, shape=shape, biases=biases)


def recurrent(
    mode: str,
    input: Tensor,
    hx: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
    batch_sizes: BatchSizes = None,
) -> tuple[Tensor, ...]:
    """All layers: the outputs of the last one, then the final states of all, (layers directions, N, H) each.

    Args:
        mode: LSTM, GRU, RNN_TANH or RNN_RELU.
        input: (T, N, input), (N, T, input) with ``batch_first``, or packed (sum of batch_sizes, input).
        hx: the initial states, as the final ones.
        params: per layer and direction: w_ih, w_hh, with ``has_biases`` b_ih, b_hh, and w_hr if h is
            projected.
        dropout: between layers, in training.
    """
    directions = 2 if bidirectional else 1
    per_direction = len(params) // (num_layers * directions)
    initial = [one.unbind(0) for one in hx]
    final: list[State] = []
    output = input.transpose(0, 1) if batch_first and batch_sizes is None else input
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            number = layer * directions + direction
            own = tuple(params[number * per_direction : (number + 1) * per_direction])
            start = tuple(one[number] for one in initial)
            result, state = _run_layer(output, start, own, mode, direction == 1, batch_sizes, has_biases)
            outputs.append(result)
            final.append(tuple(state))
        output = outputs[0] if directions == 1 else cat(outputs, -1)
        if dropout > 0.0 and train and layer < num_layers - 1:
            output = F.dropout(output, dropout, True)
    output = output.transpose(0, 1) if batch_first and batch_sizes is None else output
    return output, *(stack(list(one)) for one in zip(*final, strict=True))


def lstm(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """``lstm(input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``.

    Packed: ``lstm(data, batch_sizes, (h, c), params, has_biases, num_layers, dropout, train,
    bidirectional)``.
    Returns the outputs, h and c. Source: torch.lstm.
    """
    return _call("LSTM", input, args, kwargs)


def gru(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Called as `lstm`, with h alone for the state. Source: torch.gru."""
    return _call("GRU", input, args, kwargs)


def rnn_tanh(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Called as `lstm`, with h alone for the state. Source: torch.rnn_tanh."""
    return _call("RNN_TANH", input, args, kwargs)


def rnn_relu(input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Called as `lstm`, with h alone for the state. Source: torch.rnn_relu."""
    return _call("RNN_RELU", input, args, kwargs)


def _call(mode: str, input: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # PyTorch tells the two forms apart by what comes third: whether there are biases, or the weights of a packed
    # input, whose batch sizes come first.
    if len(args) >= 3 and not isinstance(args[2], bool):
        kwargs["batch_sizes"] = args[0]
        args = args[1:]
    if "batch_sizes" in kwargs:
        kwargs["batch_sizes"] = tuple(kwargs["batch_sizes"].tolist())
    names = ("hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    hx = given.pop("hx")
    return recurrent(mode, input, (hx,) if isinstance(hx, Tensor) else tuple(hx), **given)


@remembered
def _cell(input: Tensor, state: Any, parameters: Any, *, mode: str, has_biases: bool) -> Any:
    weights = weights_of(parameters, has_biases)
    return STEPS[mode](project(mode, input, weights), tuple(state), weights)


def _run_cell(mode: str, input: Tensor, state: State, weights: tuple[Tensor | None, ...]) -> State:
    given = tuple(one for one in weights if one is not None)
    return tuple(_cell(input, state, given, mode=mode, has_biases=len(given) == 4))


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: h and c of (N, H) after ``input`` (N, input). Source: torch.lstm_cell."""
    h, c = _run_cell("LSTM", input, tuple(hx), (w_ih, w_hh, b_ih, b_hh))
    return h, c


def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU: h of (N, H) after ``input`` (N, input). Source: torch.gru_cell."""
    (h,) = _run_cell("GRU", input, (hx,), (w_ih, w_hh, b_ih, b_hh))
    return h


def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """``tanh(w_ih @ input + b_ih + w_hh @ h + b_hh)``. Source: torch.rnn_tanh_cell."""
    (h,) = _run_cell("RNN_TANH", input, (hx,), (w_ih, w_hh, b_ih, b_hh))
    return h


def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """``relu(w_ih @ input + b_ih + w_hh @ h + b_hh)``. Source: torch.rnn_relu_cell."""
    (h,) = _run_cell("RNN_RELU", input, (hx,), (w_ih, w_hh, b_ih, b_hh))
    return h
