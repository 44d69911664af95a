"""Recurrent layers step by step: what cells compute, and layers that are no loop.

A step takes what the inputs contribute to the gates, the state before it and the weights, and gives the state after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zerograd.nn import functional as F
from zerograd.tensor.functions.joining import cat, stack
from zerograd.tensor.tensor import Tensor

State = tuple[Tensor, ...]  # h, or h and c
Step = Callable[[Tensor, State, "Weights"], State]


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


def project(mode: str, input: Tensor, weights: Weights) -> Tensor:
    """What the inputs contribute to the gates, with all biases that may be added there."""
    bias = weights.b_ih
    if bias is not None and weights.b_hh is not None and mode != "GRU":  # a GRU's reset gate acts on b_hh
        bias = bias + weights.b_hh
    return F.linear(input, weights.w_ih, bias)


def weights_of(parameters: Sequence[Tensor], has_biases: bool) -> Weights:
    w_ih, w_hh, *rest = parameters
    biases = rest[:2] if has_biases else [None, None]
    projection = rest[2:] if has_biases else rest
    return Weights(w_ih, w_hh, *biases, *projection)


def packed_loop(
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


def padded_loop(step: Step, projected: Tensor, state: State, weights: Weights, reverse: bool) -> tuple[Tensor, State]:
    """The loop over sequences of one length, (T, N, gates H)."""
    outputs = []
    times = projected.unbind(0)
    for one in reversed(times) if reverse else times:
        state = step(one, state, weights)
        outputs.append(state[0])
    return stack(outputs[::-1] if reverse else outputs), state
