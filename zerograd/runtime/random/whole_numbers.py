"""Whole numbers and permutations.

A number in a range of ``n`` is a word modulo ``n``: one of 32 bits if n < 2**28, else one of 64 bits.
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array
from zerograd.runtime.random.generator import Generator, choose
from zerograd.shapes import count

_WIDE_RANGE: Final = 2**28
_LARGE_PERMUTATION: Final = (2**32 - 1) // 20
_CHUNK: Final = 2**20
_LOWEST: Final = -(2**63)
_EXACT: Final = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}  # bits


def integers(
    generator: Generator | None, shape: Sequence[int], dtype: dtype, low: int = 0, high: int | None = None
) -> Array:
    """Whole numbers in [low, high), of any real dtype.

    Args:
        high: None stands for the largest number of an integer dtype, included, or for 2**significand of a
            float.
    Raises:
        RuntimeError: the range is empty or does not fit the dtype.
        NotImplementedError: dtype is complex.
    """
    _need_real(dtype)
    if high is None and low == _LOWEST:
        return _all_64_bits(choose(generator), shape, dtype)
    if high is not None and low >= high:
        raise errors.runtime("expected low < high", low=low, high=high)
    last = _last(dtype) if high is None else high - 1
    if dtype.is_floating_point:
        low = _first_within(low, dtype)
        last = last if high is None else _end_within(high, dtype) - 1
        if low > last:
            raise errors.runtime(f"no whole number of {dtype} lies in the range", low=low, high=high)
    lowest, highest = _limits(dtype)
    for name, bound in (("low", low), ("high - 1", last)):
        if not lowest <= bound <= highest:
            raise errors.runtime(f"{name} is out of bounds for {dtype}: [{lowest}, {highest}]", bound=bound)
        if dtype.is_floating_point and abs(bound) > 2 ** _EXACT[dtype]:
            warnings.warn(
                f"{name} = {bound} is out of bounds [-(2^{_EXACT[dtype]}), 2^{_EXACT[dtype]}]: beyond them "
                f"{dtype} does not have every whole number, so the numbers drawn are not uniform",
                stacklevel=2,
            )
    generator, size, span = choose(generator), count(shape), last - low + 1
    wide = span >= _WIDE_RANGE
    offset = generator.double_words(size) if wide else generator.words(size).astype(np.uint64)
    if span < 2**64:
        offset %= np.uint64(span)
    offset += np.uint64(low % 2**64)  # wraps around, as two's complement does
    return offset.view(np.int64).astype(dtype.numpy).reshape(shape)


def integers_of_dtype(generator: Generator | None, shape: Sequence[int], dtype: dtype) -> Array:
    """Whole numbers that ``dtype`` represents: 0 to the largest integer, to 2**significand of a float type.

    Raises:
        NotImplementedError: dtype is complex.
    """
    _need_real(dtype)
    generator, size = choose(generator), count(shape)
    words = generator.double_words(size) if dtype.itemsize == 8 else generator.words(size)
    words %= words.dtype.type(_last(dtype) + 1)
    return words.astype(dtype.numpy).reshape(shape)


def permutation(generator: Generator | None, n: int, dtype: dtype = dtypes.int64) -> Array:
    """The numbers 0 to n - 1 in random order.

    Raises:
        RuntimeError: n is negative, or the dtype cannot hold n exactly.
        NotImplementedError: dtype is bool or complex.
    """
    if n < 0:
        raise errors.runtime("a permutation needs n >= 0", n=n)
    if dtype.is_complex or dtype is dtypes.bool_:
        raise NotImplementedError(errors.message("a permutation needs an integer or floating dtype", got=dtype))
    if n - 1 > _limits(dtype)[1]:
        raise errors.runtime(f"n cannot be converted to {dtype} without overflow", n=n)
    if dtype.is_floating_point and dtype is not dtypes.bfloat16 and n > 2 ** _EXACT[dtype] + 1:
        raise errors.runtime(f"{dtype} counts exactly only up to {2 ** _EXACT[dtype] + 1}", n=n)
    generator = choose(generator)
    shuffled = _shuffled if n < _LARGE_PERMUTATION else _shuffled_inside_out
    return shuffled(generator, n).astype(dtype.numpy, copy=False)


def _shuffled(generator: Generator, n: int) -> Array:
    """Fisher and Yates: at time i = 0 ... n - 2, swap place i with a place chosen from i to n - 1.

    Done without doing the swaps one by one. Place i receives what the chosen place p holds at time i. If p
    was chosen before, last at time j, that is what place j held at time j; otherwise it is p itself. And
    what place i holds at time i is likewise found by following back the times at which it was chosen.
    """
    if n < 2:
        return np.arange(n)
    times = np.arange(n - 1)
    chosen = generator.words(n - 1) % (n - times) + times
    keys = (chosen << 32) | times  # n < 2**32
    keys.sort()
    place, time = keys >> 32, keys & 0xFFFFFFFF
    follows = np.flatnonzero(place[1:] == place[:-1])
    before = np.full(n - 1, -1)  # the last time at which the place chosen at this time was chosen before
    before[time[follows + 1]] = time[follows]
    origin = np.arange(n)  # the last time before i at which place i was chosen; i if there was none
    others = np.flatnonzero(place != time)  # a choice of i at time i itself does not count
    origin[place[others]] = time[others]  # later times overwrite earlier ones
    while True:
        further = origin[origin]
        if np.array_equal(further, origin):
            break
        origin = further
    result = np.empty(n, np.int64)
    result[:-1] = np.where(before >= 0, origin[before], chosen)
    result[-1] = origin[-1]
    return result


def _shuffled_inside_out(generator: Generator, n: int) -> Array:
    """Number i goes to a place up to i; with words of 64 bits, since 32 would favour small numbers."""
    order = array("q")
    for start in range(0, n, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, n), dtype=np.uint64)
        chosen = generator.double_words(len(numbers)) % (numbers + np.uint64(1))
        for number, place in enumerate(chosen.tolist(), start):
            order.append(number)
            order[number] = order[place]
            order[place] = number
    return np.frombuffer(order, np.int64)


def _all_64_bits(generator: Generator, shape: Sequence[int], dtype: dtype) -> Array:
    if dtype not in (dtypes.int64, dtypes.float64, dtypes.float32, dtypes.bfloat16):
        raise errors.runtime("the whole range of int64 needs int64, float64, float32 or bfloat16", got=dtype)
    words = generator.double_words(count(shape)).view(np.int64)
    return words.astype(dtype.numpy).reshape(shape)


def _limits(dtype: dtype) -> tuple[int, int]:
    if dtype is dtypes.bool_:
        return 0, 1
    if dtype.is_floating_point:
        largest = int(float(dtype.limits.max))
        return -largest, largest
    limits = np.iinfo(dtype.numpy)
    return int(limits.min), int(limits.max)


def _last(dtype: dtype) -> int:
    return 2 ** _EXACT[dtype] if dtype.is_floating_point else _limits(dtype)[1]


def _first_within(low: int, dtype: dtype) -> int:
    """``low``, moved up where rounding to ``dtype`` would bring numbers below the range."""
    rounded = _as_dtype(low + 1, dtype)
    return low if rounded >= low else rounded + _spacing(low + 1, dtype)


def _end_within(high: int, dtype: dtype) -> int:
    """``high``, moved down where rounding to ``dtype`` would bring numbers up to it.

    For instance 65503 is 65504 in float16, so a range that ends before 65504 has to end before 65472.
    """
    rounded = _as_dtype(high - 1, dtype)
    return high if rounded < high else rounded - _spacing(high - 1, dtype)


def _spacing(value: int, dtype: dtype) -> int:
    """The distance between the numbers of ``dtype`` near a value that it cannot hold exactly."""
    return 2 ** (abs(value).bit_length() - _EXACT[dtype])


def _as_dtype(value: int, dtype: dtype) -> int:
    narrow = np.array([value], np.int64).astype(np.float32 if dtype.itemsize == 2 else dtype.numpy)
    with np.errstate(over="ignore"):
        wide = float(narrow.astype(dtype.numpy)[0])
    return int(wide) if abs(wide) < 2.0**63 else _LOWEST  # what C's conversion gives on x86


def _need_real(dtype: dtype) -> None:
    if dtype.is_complex:
        raise NotImplementedError(errors.message("random whole numbers need a real dtype", got=dtype))
