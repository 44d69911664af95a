"""Recurrent layers and cells: RNN, LSTM, GRU."""

from __future__ import annotations

import math
import warnings
from typing import Any

from zerograd import errors
from zerograd.nn import init
from zerograd.nn.functional import recurrent
from zerograd.nn.modules.module import Module
from zerograd.nn.packing import PackedSequence
from zerograd.nn.parameter import Parameter
from zerograd.tensor.functions.creation import empty, zeros
from zerograd.tensor.tensor import Tensor

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
State = tuple[Tensor, ...]


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    """``tensor`` with its entries along ``dim`` in the order of ``permutation``."""
    return tensor.index_select(dim, permutation)


class RNNBase(Module):
    """What the recurrent layers share.

    Args:
        mode: LSTM, GRU, RNN_TANH or RNN_RELU.
        num_layers: layers, each of which takes the outputs of the one before.
        batch_first: the batch is the first dimension of inputs and outputs (not of states).
        dropout: of the outputs of each layer but the last, in training.
        bidirectional: a second direction runs through each sequence from its end.
        proj_size: the size to which an LSTM's h is projected; 0 for none.
    Shapes, per layer k and direction: weight_ih_l{k} (gates H, input), weight_hh_l{k} (gates H, H or
    proj_size),
    bias_ih_l{k} and bias_hh_l{k} (gates H), weight_hr_l{k} (proj_size, H); the second direction adds
    "_reverse".
    Initial values: uniform within 1/sqrt(hidden_size).
    Source: torch.nn.RNNBase.

    Raises:
        TypeError, ValueError: sizes that are no positive integers, or a dropout that is no probability.
    """

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]
    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_sizes(input_size, hidden_size, num_layers, proj_size)
        _check_choices(mode, bias, batch_first, dropout)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} has no effect: it acts between layers, and there is one layer",
                stacklevel=3,
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(self._directions):
                shapes = self._shapes(layer, "_reverse" if direction else "")
                for name, shape in shapes.items():
                    setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(list(shapes))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _shapes(self, layer: int, suffix: str) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights of one layer in one direction, by name."""
        gates = GATES[self.mode] * self.hidden_size
        hidden = self.proj_size or self.hidden_size
        inputs = self.input_size if layer == 0 else hidden * self._directions
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, inputs), "weight_hh": (gates, hidden)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        return {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for names in self._all_weights for name in names]

    def flatten_parameters(self) -> None:
        """Nothing to do: weights need not be contiguous in memory.

        Source: torch.nn.RNNBase.flatten_parameters.
        """

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise if the input does not fit the layer."""
        dtype = self._flat_weights[0].dtype
        if input.dtype is not dtype:
            raise errors.value(
                f"the input is {input.dtype}, but the weights of {self._get_name()} are {dtype}",
                hint=f"input.to({dtype}) or model.to({input.dtype})",
            )
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise errors.runtime(f"input must have {expected} dimensions, got {input.dim()}")
        if input.shape[-1] != self.input_size:
            raise errors.runtime(
                f"the input's last dimension must be input_size = {self.input_size}, got {input.shape[-1]}",
                input=list(input.shape),
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of h: (layers directions, N, H)."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.shape[0] if self.batch_first else input.shape[1]
        return self.num_layers * self._directions, batch, self.proj_size or self.hidden_size

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Raise if a state has another shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise errors.runtime(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise if the input or the state does not fit the layer."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its batch in another order."""
        return hx if permutation is None else apply_permutation(hx, permutation)

    def _zero_state(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        return zeros(self.get_expected_hidden_size(input, batch_sizes), dtype=input.dtype, device=input.device)

    def _run(self, input: Any, hx: Any) -> tuple[Any, Any]:
        """The layer on a padded, unbatched or packed input; the state is a tensor, or h and c."""
        if isinstance(input, PackedSequence):
            data, sizes, order, back = input
            hx = self._zero_state(data, sizes) if hx is None else self.permute_hidden(hx, order)
            self.check_forward_args(data, hx, sizes)
            output, state = self._recur(data, hx, tuple(sizes.tolist()))
            return PackedSequence(output, sizes, order, back), self.permute_hidden(state, back)
        if input.dim() not in (2, 3):
            raise errors.value(
                f"{self._get_name()} takes a sequence of 2 dimensions, or 3 with a batch, not {input.dim()}",
                input=list(input.shape),
            )
        rank = input.dim()
        for one in () if hx is None else _parts(hx):
            if one.dim() != rank:
                raise errors.runtime(
                    f"an input of {rank} dimensions needs a state of {rank}, got {one.dim()}",
                    state=list(one.shape),
                )
        batch_dim = 0 if self.batch_first else 1
        if rank == 2:
            input = input.unsqueeze(batch_dim)
            hx = None if hx is None else _mapped(hx, lambda one: one.unsqueeze(1))
        hx = self._zero_state(input, None) if hx is None else hx
        self.check_forward_args(input, hx, None)
        output, state = self._recur(input, hx, None)
        if rank == 2:
            return output.squeeze(batch_dim), _mapped(state, lambda one: one.squeeze(1))
        return output, state

    def _recur(self, input: Tensor, hx: Any, batch_sizes: tuple[int, ...] | None) -> tuple[Tensor, Any]:
        output, *state = recurrent.recurrent(
            self.mode,
            input,
            _parts(hx),
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first,
            batch_sizes,
        )
        return output, state[0] if isinstance(hx, Tensor) else tuple(state)

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.proj_size != 0:
            parts.append(f"proj_size={self.proj_size}")
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if self.batch_first is not False:
            parts.append(f"batch_first={self.batch_first}")
        if self.dropout != 0:
            parts.append(f"dropout={self.dropout}")
        if self.bidirectional is not False:
            parts.append(f"bidirectional={self.bidirectional}")
        return ", ".join(parts)


def _parts(hx: Any) -> State:
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def _mapped(hx: Any, change: Any) -> Any:
    return change(hx) if isinstance(hx, Tensor) else tuple(change(one) for one in hx)


def _check_sizes(input_size: Any, hidden_size: Any, num_layers: int, proj_size: int) -> None:
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(size, int):
            raise errors.type_(f"{name} must be an integer, got a {type(size).__name__}")
        if size <= 0:
            raise errors.value(f"{name} must be greater than zero, got {size}")
    if num_layers <= 0:
        raise errors.value(f"num_layers counts from 1, got {num_layers}")
    if not 0 <= proj_size < hidden_size:
        raise errors.value(f"proj_size must be less than hidden_size = {hidden_size}, and 0 for none, got {proj_size}")


def _check_choices(mode: str, bias: Any, batch_first: Any, dropout: Any) -> None:
    if mode not in GATES:
        raise errors.value(f"the mode of a recurrent layer is one of {', '.join(GATES)}, not {mode!r}")
    for name, flag in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(flag, bool):
            raise errors.type_(f"{name} must be True or False, got a {type(flag).__name__}")
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise errors.value(f"dropout is a probability between 0 and 1, got {dropout!r}")


class RNN(RNNBase):
    """``h = tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)`` at each time, or relu as ``nonlinearity``.

    Called as ``RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False, device=None, dtype=None)``.

    Shapes: input (T, N, input) or (T, input), h (layers directions, N, H); output (T, N, directions H).
    Source: torch.nn.RNN.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        _check_nonlinearity(nonlinearity)
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        return self._run(input, hx)


class LSTM(RNNBase):
    """Long short-term memory: gates i, f, g, o; ``c = f * c + i * g``, ``h = o * tanh(c)``.

    Called as ``LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0, device=None, dtype=None)``.

    Shapes: input (T, N, input) or (T, input), h (layers directions, N, H or proj_size), c (layers directions,
    N, H).
    Source: torch.nn.LSTM.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of c."""
        return *self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        expected = self.get_expected_hidden_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], expected, "Expected hidden[0] size {}, got {}")
        expected = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[1], expected, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        return hx if permutation is None else tuple(apply_permutation(one, permutation) for one in hx)

    def _zero_state(self, input: Tensor, batch_sizes: Tensor | None) -> State:
        cell = self.get_expected_cell_size(input, batch_sizes)
        return super()._zero_state(input, batch_sizes), zeros(cell, dtype=input.dtype, device=input.device)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        return self._run(input, hx)


class GRU(RNNBase):
    """Gated recurrent unit: gates r, z, n; ``h = (1 - z) * n + z * h``.

    Called as ``GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None)``.

    Shapes: as `RNN`. Source: torch.nn.GRU.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        return self._run(input, hx)


def _refuse_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise errors.value("only an LSTM can project its state: RNN and GRU take no proj_size")


def _check_nonlinearity(name: object) -> None:
    if name not in ("tanh", "relu"):
        raise errors.value(f"the nonlinearity is tanh or relu, not {name!r}")


class RNNCellBase(Module):
    """What the cells share: one layer, one step.

    Shapes: weight_ih (gates H, input), weight_hh (gates H, H), biases (gates H).
    Initial values: uniform within 1/sqrt(hidden_size).
    """

    __constants__ = ["input_size", "hidden_size", "bias"]
    input_size: int
    hidden_size: int
    bias: bool
    weight_ih: Tensor
    weight_hh: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = Parameter(empty((gates, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(empty((gates, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(gates, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def _prepared(self, input: Tensor, hx: Any, states: int) -> tuple[Tensor, State]:
        """The input and the state with a batch, after their checks."""
        if input.dim() not in (1, 2):
            raise errors.value(
                f"{self._get_name()} takes a vector, or a matrix as batch, but the input has {input.dim()} dimensions",
                input=list(input.shape),
            )
        given = () if hx is None else _parts(hx)
        for one in given:
            if one.dim() not in (1, 2):
                raise errors.value(
                    f"{self._get_name()} expected a 1D or 2D state (got {one.dim()}D state)",
                    state=list(one.shape),
                )
        if input.dim() == 1:
            input = input.unsqueeze(0)
            given = tuple(one.unsqueeze(0) if one.dim() == 1 else one for one in given)
        if not given:
            shape = (input.shape[0], self.hidden_size)
            zero = zeros(shape, dtype=input.dtype, device=input.device)
            given = (zero,) * states
        if input.shape[1] != self.input_size:
            raise errors.runtime(f"input has inconsistent input_size: got {input.shape[1]}, expected {self.input_size}")
        for one in given:
            if tuple(one.shape) != (input.shape[0], self.hidden_size):
                raise errors.runtime(
                    f"the state must have shape {(input.shape[0], self.hidden_size)}, got {tuple(one.shape)}"
                )
        return input, given

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        if nonlinearity != "tanh":
            parts.append(f"nonlinearity={nonlinearity}")
        return ", ".join(parts)


class RNNCell(RNNCellBase):
    """``h = tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)``, or relu as ``nonlinearity``.

    Shapes: input (N, input) or (input), h (N, H) or (H), zeros if left out. Source: torch.nn.RNNCell.
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]
    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        rows, (h,) = self._prepared(input, hx, 1)
        if self.nonlinearity not in ("tanh", "relu"):
            raise errors.runtime(f"the nonlinearity is tanh or relu, not {self.nonlinearity!r}")
        cell = recurrent.rnn_tanh_cell if self.nonlinearity == "tanh" else recurrent.rnn_relu_cell
        h = cell(rows, h, *self._weights())
        return h.squeeze(0) if input.dim() == 1 else h


class LSTMCell(RNNCellBase):
    """One step of an LSTM: from ``input`` and (h, c) to the next (h, c).

    Shapes: input (N, input) or (input), h and c (N, H) or (H), zeros if left out. Source: torch.nn.LSTMCell.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        rows, state = self._prepared(input, hx, 2)
        h, c = recurrent.lstm_cell(rows, state, *self._weights())
        return (h.squeeze(0), c.squeeze(0)) if input.dim() == 1 else (h, c)


class GRUCell(RNNCellBase):
    """One step of a GRU: from ``input`` and h to the next h.

    Shapes: input (N, input) or (input), h (N, H) or (H), zeros if left out. Source: torch.nn.GRUCell.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        rows, (h,) = self._prepared(input, hx, 1)
        h = recurrent.gru_cell(rows, h, *self._weights())
        return h.squeeze(0) if input.dim() == 1 else h
