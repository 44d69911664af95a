"""Sequences of different lengths: padded into one tensor, or packed without the padding.

A packed sequence holds the elements of all sequences time by time, longest sequence first, and for each time
how many sequences still run. `torch.nn.utils.rnn` shows these names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from zerograd import dtypes, errors
from zerograd.nn import functional as F
from zerograd.tensor.functions.creation import full
from zerograd.tensor.functions.data import tensor
from zerograd.tensor.functions.joining import cat, stack
from zerograd.tensor.tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences without padding; the recurrent layers accept and return it.

    Attributes:
        data: the elements, (sum of batch_sizes, *).
        batch_sizes: how many sequences have an element at each time, int64.
        sorted_indices: the order, longest first, in which the sequences were packed; None if they came so.
        unsorted_indices: the way back.
    Source: torch.nn.utils.rnn.PackedSequence.
    """

    __module__ = "zerograd.nn.utils.rnn"  # where PyTorch has it, and so pickles
    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Any = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("PackedSequence needs data and batch_sizes, or a pair of both")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The sequence with ``data.to(...)``; itself if that changes nothing."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """The sequence on the CPU."""
        return self.to(*args, **{"device": "cpu", **kwargs})

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """The sequence on a CUDA device; an error here."""
        return self.to(*args, **{"device": "cuda", **kwargs})

    def pin_memory(self) -> Self:
        """The sequence with its data in page-locked memory."""
        return type(self)(self.data.pin_memory(), *self[1:])

    def double(self) -> Self:
        """The sequence in float64."""
        return self.to(dtype=dtypes.float64)

    def float(self) -> Self:
        """The sequence in float32."""
        return self.to(dtype=dtypes.float32)

    def half(self) -> Self:
        """The sequence in float16."""
        return self.to(dtype=dtypes.float16)

    def long(self) -> Self:
        """The sequence in int64."""
        return self.to(dtype=dtypes.int64)

    def int(self) -> Self:
        """The sequence in int32."""
        return self.to(dtype=dtypes.int32)

    def short(self) -> Self:
        """The sequence in int16."""
        return self.to(dtype=dtypes.int16)

    def char(self) -> Self:
        """The sequence in int8."""
        return self.to(dtype=dtypes.int8)

    def byte(self) -> Self:
        """The sequence in uint8."""
        return self.to(dtype=dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the data is in page-locked memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes ``permutation``. Source: torch.nn.utils.rnn.invert_permutation."""
    return None if permutation is None else _integers(np.argsort(permutation.tolist(), kind="stable"))


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack the first ``lengths[n]`` elements of each sequence of a padded batch.

    Shapes: input (T, N, *), or (N, T, *) with ``batch_first``; lengths (N).

    Args:
        enforce_sorted: the sequences come longest first; False sorts them.
    Raises:
        RuntimeError: a length that is not positive or exceeds T, a wrong number of them, or lengths that rise
            although ``enforce_sorted``.
    Source: torch.nn.utils.rnn.pack_padded_sequence.
    """
    counts = np.asarray(lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)).astype(np.int64)
    times, batch = input.shape[:2] if not batch_first else (input.shape[1], input.shape[0])
    order = None if enforce_sorted else np.argsort(-counts, kind="stable")
    _check_lengths(counts, times, batch, enforce_sorted)
    ranked = counts if order is None else counts[order]
    sizes = _running(ranked)
    time, rank = _places(sizes)
    sequence = rank if order is None else order[rank]
    flat = sequence * times + time if batch_first else time * batch + sequence
    data = input.reshape(times * batch, *input.shape[2:]).index_select(0, _integers(flat))
    return PackedSequence(data, _integers(sizes), None if order is None else _integers(order))


def _check_lengths(counts: np.ndarray[Any, Any], times: int, batch: int, enforce_sorted: bool) -> None:
    listing = counts.tolist()
    if len(counts) != batch:
        raise errors.runtime(
            f"pack_padded_sequence needs {batch} lengths, one for each sequence, but got {len(counts)}",
            hint="the batch is the second dimension, or the first with batch_first=True",
        )
    if (counts <= 0).any():
        raise errors.runtime("pack_padded_sequence needs lengths greater than 0", lengths=listing)
    if counts.max() > times:
        raise errors.runtime(f"a length exceeds the {times} elements that the batch has", lengths=listing)
    if enforce_sorted and (counts[1:] > counts[:-1]).any():
        raise errors.runtime(
            "pack_padded_sequence needs the sequences in decreasing order of length",
            lengths=listing,
            hint="enforce_sorted=False sorts them",
        )


def _running(ranked: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How many sequences of these falling lengths have an element at each time."""
    return (ranked[None, :] > np.arange(ranked[0])[:, None]).sum(1)


def _places(sizes: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The time, and the rank of the sequence, of each packed element."""
    time = np.repeat(np.arange(len(sizes)), sizes)
    return time, np.arange(len(time)) - (np.cumsum(sizes) - sizes)[time]


def _integers(values: Any) -> Tensor:
    return tensor(np.asarray(values, np.int64))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch of a packed sequence, in the original order, and the lengths.

    Shapes: (T, N, *), or (N, T, *) with ``batch_first``; lengths (N), int64.

    Args:
        total_length: T; the longest length if None.
    Raises:
        ValueError: ``total_length`` is less than the longest length.
    Source: torch.nn.utils.rnn.pad_packed_sequence.
    """
    sizes = np.asarray(sequence.batch_sizes.tolist(), np.int64)
    times = len(sizes) if total_length is None else total_length
    if times < len(sizes):
        raise errors.value(f"total_length {total_length} is less than the longest sequence, {len(sizes)}")
    time, rank = _places(sizes)
    lengths = np.bincount(rank, minlength=sizes[0])
    data = sequence.data
    places = np.full((times, sizes[0]), len(time))  # the row after the last holds the padding
    places[time, rank] = np.arange(len(time))
    if sequence.unsorted_indices is not None:
        original = np.asarray(sequence.unsorted_indices.tolist())
        places, lengths = places[:, original], lengths[original]
    places = places.T if batch_first else places
    row = full((1, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = cat([data, row]).index_select(0, _integers(places.reshape(-1)))
    return padded.reshape(*places.shape, *data.shape[1:]), _integers(lengths)


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences of different lengths, (L, *) each, as one tensor (T, N, *).

    Args:
        batch_first: the result is (N, T, *).
        padding_side: left or right: where ``padding_value`` is added.
    Raises:
        RuntimeError: not an iterable, no sequence, an unknown side, or trailing dimensions that differ.
    Source: torch.nn.utils.rnn.pad_sequence.
    """
    if not isinstance(sequences, Iterable):
        raise errors.runtime(f"pad_sequence needs an iterable of tensors, got a {type(sequences).__name__}")
    members: list[Tensor] = list(sequences)
    if not members:
        raise errors.runtime("pad_sequence needs at least one sequence, but the list is empty")
    if padding_side not in ("left", "right"):
        raise errors.runtime(f"padding_side must be left or right, not {padding_side!r}")
    first = members[0]
    for one in members:
        if one.shape[1:] != first.shape[1:]:
            raise errors.runtime(
                "pad_sequence needs sequences that differ in their first dimension only",
                first=list(first.shape),
                other=list(one.shape),
            )
    longest = max(one.shape[0] for one in members)
    sides = (0, 0) * (first.dim() - 1)
    padded = []
    for one in members:
        lacking = longest - one.shape[0]
        around = (lacking, 0) if padding_side == "left" else (0, lacking)
        padded.append(F.pad(one, (*sides, *around), value=padding_value) if lacking else one)
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch: the first ``lengths[n]`` elements of each.

    Source: torch.nn.utils.rnn.unpad_sequence.
    """
    batch_dim = 0 if batch_first else 1
    sequences = padded_sequences.unbind(batch_dim)
    return [one[:length] for one, length in zip(sequences, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths, (L, *) each. Source: torch.nn.utils.rnn.pack_sequence."""
    lengths = [one.shape[0] for one in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed one, in their original order. Source: torch.nn.utils.rnn.unpack_sequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
