"""Recurrent layers: LSTM, GRU and plain, over padded and packed sequences, and single cells.

Each layer multiplies its inputs of all times in one product; the loop over time keeps the product with the
hidden state only, and is one op (``ops/recurrent``). Packed sequences, projected states and complex numbers go step
by step. A layer is one remembered call, so a sequence of known length costs one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd.dtypes import float32
from zerograd.ir.graph import Node
from zerograd.ir.record import recorder
from zerograd.nn import functional as F
from zerograd.ops.recurrent.gru import gru as gru_steps
from zerograd.ops.recurrent.lstm import lstm as lstm_steps
from zerograd.ops.recurrent.rnn import rnn as rnn_steps
from zerograd.ops.recurrent.sequence import end
from zerograd.ops.source import filled
from zerograd.tensor.door import apply, labelled, remembered
from zerograd.tensor.functions.joining import cat, stack
from zerograd.tensor.tensor import Tensor

State = tuple[Tensor, ...]  # h, or h and c
Step = Callable[[Tensor, State, "Weights"], State]
BatchSizes = tuple[int, ...] | None


class Weights:
    """The weights of one layer in one direction.

    Shapes: w_ih (gates H, input), w_hh (gates H, H or P), biases (gates H), w_hr (P, H): the projection of h.
    """

    def __init__(
        self,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
        w_hr: Tensor | None = None,
    ) -> None:
        self.w_ih = w_ih
        self.w_hh = w_hh
        self.b_ih = b_ih
        self.b_hh = b_hh
        self.w_hr = w_hr


def _lstm_step(projected: Tensor, state: State, weights: Weights) -> State:
    h, c = state
    i, f, g, o = (projected + F.linear(h, weights.w_hh)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if weights.w_hr is None else F.linear(h, weights.w_hr)), c


def _gru_step(projected: Tensor, state: State, weights: Weights) -> State:
    (h,) = state
    r_x, z_x, n_x = projected.chunk(3, -1)
    r_h, z_h, n_h = F.linear(h, weights.w_hh, weights.b_hh).chunk(3, -1)
    n = (n_x + (r_x + r_h).sigmoid() * n_h).tanh()
    return (n + (z_x + z_h).sigmoid() * (h - n),)


def _tanh_step(projected: Tensor, state: State, weights: Weights) -> State:
    return ((projected + F.linear(state[0], weights.w_hh)).tanh(),)


def _relu_step(projected: Tensor, state: State, weights: Weights) -> State:
    return ((projected + F.linear(state[0], weights.w_hh)).relu(),)


STEPS: dict[str, Step] = {
    "LSTM": _lstm_step,
    "GRU": _gru_step,
    "RNN_TANH": _tanh_step,
    "RNN_RELU": _relu_step,
}


def _project(mode: str, input: Tensor, weights: Weights) -> Tensor:
    """What the inputs contribute to the gates, with all biases that may be added there."""
    bias = weights.b_ih
    if bias is not None and weights.b_hh is not None and mode != "GRU":  # a GRU's reset gate acts on b_hh
        bias = bias + weights.b_hh
    return F.linear(input, weights.w_ih, bias)


# --- all steps at once -----------------------------------------------------------------------------------


@labelled(lambda x, *_: "MkldnnRnnLayerBackward0" if x.dtype is float32 else "StackBackward0")
def _lstm_loop(x: Node, h: Node, c: Node, w: Node, reverse: bool) -> tuple[Node, ...]:
    hidden, cells, _ = lstm_steps(x, h, c, w, reverse=reverse)
    return hidden, end(hidden, reverse), end(cells, reverse)


@labelled("StackBackward0")
def _gru_loop(x: Node, h: Node, w: Node, b: Node | None, reverse: bool) -> tuple[Node, ...]:
    b = filled(0, w.type.with_shape((w.shape[1],))) if b is None else b
    hidden, _ = gru_steps(x, h, w, b, reverse=reverse)
    return hidden, end(hidden, reverse)


@labelled("StackBackward0")
def _rnn_loop(x: Node, h: Node, w: Node, reverse: bool, function: str) -> tuple[Node, ...]:
    hidden = rnn_steps(x, h, w, reverse=reverse, function=function)
    return hidden, end(hidden, reverse)


def _lstm_layer(input: Tensor, state: State, weights: Weights, reverse: bool) -> Any:
    return apply(_lstm_loop, (_project("LSTM", input, weights), *state, weights.w_hh), (reverse,))


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
        projected = _project("RNN", input, weights)
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


@remembered
def _layer(
    input: Tensor,
    state: Any,
    parameters: Any,
    *,
    mode: str,
    reverse: bool = False,
    batch_sizes: BatchSizes = None,
    has_biases: bool = True,
) -> Any:
    """One layer in one direction: the outputs of all times, and the last state.

    Shapes: input (T, N, input), state (N, H) each; packed: input (sum of batch_sizes, input).
    """
    weights = _weights(parameters, has_biases)
    state = tuple(state)
    if batch_sizes is None and _runs_as_loop(input, state, weights):
        output, *state = LAYERS[mode](input, state, weights, reverse)
        return output, state
    projected = _project(mode, input, weights)
    if batch_sizes is not None:
        return _packed_loop(STEPS[mode], projected, state, weights, batch_sizes, reverse)
    outputs = []
    times = projected.unbind(0)
    for one in reversed(times) if reverse else times:
        state = STEPS[mode](one, state, weights)
        outputs.append(state[0])
    return stack(outputs[::-1] if reverse else outputs), state


def _packed_loop(
    step: Step, projected: Tensor, state: State, weights: Weights, batch_sizes: tuple[int, ...], reverse: bool
) -> tuple[Tensor, State]:
    """The loop over packed sequences, of which the first ``batch_sizes[t]`` still run at time t.

    Forward, sequences end one after the other and their states are put aside; backward, they join.
    """
    times = list(projected.split(list(batch_sizes)))
    outputs: list[Tensor] = []
    if reverse:
        running = tuple(one[: batch_sizes[-1]] for one in state)
        for one, size in zip(reversed(times), reversed(batch_sizes), strict=True):
            present = running[0].shape[0]
            if size > present:
                running = tuple(cat([now, first[present:size]]) for now, first in zip(running, state, strict=True))
            running = step(one, running, weights)
            outputs.append(running[0])
        return cat(outputs[::-1]), running
    running = state
    ended: list[State] = []
    for one, size in zip(times, batch_sizes, strict=True):
        if size < running[0].shape[0]:
            ended.append(tuple(now[size:] for now in running))
            running = tuple(now[:size] for now in running)
        running = step(one, running, weights)
        outputs.append(running[0])
    parts = [running, *reversed(ended)]
    return cat(outputs), tuple(cat(list(pieces)) for pieces in zip(*parts, strict=True))


def _weights(parameters: Sequence[Tensor], has_biases: bool) -> Weights:
    w_ih, w_hh, *rest = parameters
    biases = rest[:2] if has_biases else [None, None]
    projection = rest[2:] if has_biases else rest
    return Weights(w_ih, w_hh, *biases, *projection)


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
            result, state = _layer(
                output,
                tuple(one[number] for one in initial),
                tuple(params[number * per_direction : (number + 1) * per_direction]),
                mode=mode,
                reverse=direction == 1,
                batch_sizes=batch_sizes,
                has_biases=has_biases,
            )
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
    weights = _weights(parameters, has_biases)
    return STEPS[mode](_project(mode, input, weights), tuple(state), weights)


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
