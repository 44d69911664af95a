"""Packing and padding of sequences, in both libraries."""

from __future__ import annotations

from typing import Any

import pytest
from nn.scenarios import agree, numbers, raised


def sequences(library: Any) -> list[Any]:
    return [numbers(library, length, 2, end=length).requires_grad_() for length in (2, 4, 1)]


def fields(packed: Any) -> Any:
    return [packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_packing_and_padding_are_inverse(batch_first: bool, as_tensor: bool) -> None:
    def scenario(library: Any) -> Any:
        rnn = library.nn.utils.rnn
        x = numbers(library, 3, 4, 2).requires_grad_()
        lengths: Any = [2, 4, 1] if batch_first else [1, 3, 3, 2]
        if as_tensor:
            lengths = library.tensor(lengths)
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
        padded, back = rnn.pad_packed_sequence(packed, batch_first=batch_first, padding_value=-1.0)
        (padded * padded).sum().backward()
        return fields(packed), padded, back, x.grad

    agree(scenario)


def test_sorted_sequences_need_no_indices() -> None:
    def scenario(library: Any) -> Any:
        rnn = library.nn.utils.rnn
        packed = rnn.pack_padded_sequence(numbers(library, 4, 3), [4, 2, 2])
        return fields(packed), rnn.pad_packed_sequence(packed, total_length=6)

    agree(scenario)


def test_sequences_of_different_lengths() -> None:
    def scenario(library: Any) -> Any:
        rnn = library.nn.utils.rnn
        given = sequences(library)
        padded = rnn.pad_sequence(given, batch_first=True, padding_value=9.0)
        padded.sum().backward()
        packed = rnn.pack_sequence(given, enforce_sorted=False)
        return [
            padded,
            [one.grad for one in given],
            rnn.pad_sequence(given, padding_side="left"),
            rnn.pad_sequence([library.tensor([1, 2]), library.tensor([3])], padding_value=-5),
            fields(packed),
            rnn.unpack_sequence(packed),
            rnn.unpad_sequence(padded, library.tensor([2, 4, 1]), batch_first=True),
            rnn.invert_permutation(library.tensor([2, 0, 1])),
        ]

    agree(scenario)


def test_a_packed_sequence_is_a_tuple_that_can_be_converted() -> None:
    def scenario(library: Any) -> Any:
        packed = library.nn.utils.rnn.pack_sequence([library.ones(2), library.ones(1)])
        data, sizes, order, back = packed
        converted = [packed.double(), packed.half(), packed.long(), packed.to(library.float64), packed.int()]
        same = packed.to(library.float32) is packed, packed.cpu() is packed
        return (
            data,
            sizes,
            order,
            back,
            [one.data.dtype for one in converted],
            same,
            packed.is_cuda,
            repr(packed),
        )

    agree(scenario)


WRONG = {
    "zero": lambda library, rnn: rnn.pack_padded_sequence(numbers(library, 4, 3), [4, 2, 0]),
    "rising": lambda library, rnn: rnn.pack_padded_sequence(numbers(library, 4, 3), [2, 4, 1]),
    "count": lambda library, rnn: rnn.pack_padded_sequence(numbers(library, 4, 3), [4, 2]),
    "total": lambda library, rnn: rnn.pad_packed_sequence(rnn.pack_sequence([library.ones(3)]), total_length=2),
    "nothing": lambda library, rnn: rnn.pad_sequence([]),
    "no iterable": lambda library, rnn: rnn.pad_sequence(3),
    "trailing": lambda library, rnn: rnn.pad_sequence([library.ones(2, 3), library.ones(3, 2)]),
    "side": lambda library, rnn: rnn.pad_sequence([library.ones(2)], padding_side="top"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_wrong_calls_raise_pytorchs_errors(wrong: Any) -> None:
    agree(lambda library: raised(lambda: wrong(library, library.nn.utils.rnn)))
