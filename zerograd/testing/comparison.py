"""``assert_close``: two values, or structures of values, are equal within tolerances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.tensor.functions.data import as_tensor
from zerograd.tensor.tensor import Tensor

Message = str | Callable[[str], str] | None
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
"""(relative, absolute) for each type; other types are compared exactly."""
_NUMBERS = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float64, complex: dtypes.complex128}


@dataclass(frozen=True)
class _Terms:
    """How to compare. ``path`` is where in nested structures."""

    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_dtype: bool
    check_stride: bool
    msg: Message
    path: tuple[Any, ...] = ()

    def inside(self, key: Any) -> _Terms:
        return _Terms(
            self.rtol, self.atol, self.equal_nan, self.check_dtype, self.check_stride, self.msg, (*self.path, key)
        )

    def tolerances(self, *kinds: dtype) -> tuple[float, float]:
        """(relative, absolute): given, or the widest of the types'."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        known = [TOLERANCES.get(kind, (0.0, 0.0)) for kind in kinds]
        return max(one[0] for one in known), max(one[1] for one in known)

    def failure(self, text: str) -> AssertionError:
        if self.path:
            text += f"\n\nat {''.join(f'[{key!r}]' for key in self.path)} of the structure"
        if self.msg is not None:
            text = self.msg(text) if callable(self.msg) else self.msg
        return AssertionError(text)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """That ``|actual - expected| <= atol + rtol * |expected|`` everywhere, in tensors, numbers, or structures of them.

    Args:
        rtol, atol: both or none; by default those of the types (``TOLERANCES``; integers must be equal).
        equal_nan: NaN equals NaN. check_dtype: the types must be the same. check_stride: so must the strides.
        msg: what to say instead, or a function of what would be said.
        allow_subclasses: the two may be of different classes.
        check_device, check_layout: accepted; there is one device, and one layout.
    Raises:
        AssertionError: they differ; the message says where and by how much.
        ValueError: only one of ``rtol`` and ``atol`` is given.
        TypeError: values that cannot be compared.
    Source: torch.testing.assert_close.
    """
    del check_device, check_layout
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close takes both tolerances, rtol and atol, or none of them")
    if not allow_subclasses and type(actual) is not type(expected):
        raise TypeError(f"the classes differ: {type(actual).__name__} and {type(expected).__name__}")
    _compare(actual, expected, _Terms(rtol, atol, equal_nan, check_dtype, check_stride, msg))


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The old form of ``assert_close``: lists and numbers count as tensors, types may differ.

    Source: torch.testing.assert_allclose.
    """
    if not isinstance(actual, Tensor):
        actual = as_tensor(actual)
    if not isinstance(expected, Tensor):
        expected = as_tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        wide = {dtypes.float64: (1e-5, 1e-8), dtypes.float32: (1e-4, 1e-5), dtypes.float16: (1e-3, 1e-3)}
        known = [wide.get(one.dtype, (0.0, 0.0)) for one in (actual, expected)]
        rtol, atol = max(one[0] for one in known), max(one[1] for one in known)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def _compare(actual: Any, expected: Any, terms: _Terms) -> None:
    if isinstance(actual, Sequence) and isinstance(expected, Sequence) and not isinstance(actual, str | bytes):
        _compare_sequences(actual, expected, terms)
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        _compare_mappings(actual, expected, terms)
    elif actual is None or expected is None:
        if actual is not expected:
            raise terms.failure(f"only one of the two is None: {actual!r}, {expected!r}")
    elif isinstance(actual, bool | np.bool_) and isinstance(expected, bool | np.bool_):
        if bool(actual) is not bool(expected):
            raise terms.failure(f"{actual} was found, {expected} was expected")
    elif isinstance(actual, int | float | complex) and isinstance(expected, int | float | complex):
        _compare_numbers(actual, expected, terms)
    elif all(isinstance(one, Tensor | np.ndarray | np.generic) for one in (actual, expected)):
        a, e = (one if isinstance(one, Tensor) else as_tensor(one) for one in (actual, expected))
        _compare_tensors(a, e, terms)
    else:
        raise TypeError(
            f"assert_close cannot compare {type(actual).__name__} with {type(expected).__name__}:"
            " it takes tensors, arrays, numbers, None, and lists, tuples and dictionaries of them"
        )


def _compare_sequences(actual: Sequence[Any], expected: Sequence[Any], terms: _Terms) -> None:
    if len(actual) != len(expected):
        raise terms.failure(f"one sequence has {len(actual)} items, the other {len(expected)}")
    for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
        _compare(a, e, terms.inside(i))


def _compare_mappings(actual: Mapping[Any, Any], expected: Mapping[Any, Any], terms: _Terms) -> None:
    if actual.keys() != expected.keys():
        missing, extra = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        raise terms.failure(
            f"the keys differ: missing {sorted(map(repr, missing))}, unexpected {sorted(map(repr, extra))}"
        )
    for key in expected:
        _compare(actual[key], expected[key], terms.inside(key))


def _compare_numbers(actual: Any, expected: Any, terms: _Terms) -> None:
    if terms.check_dtype and type(actual) is not type(expected):
        raise terms.failure(f"a {type(actual).__name__} was found, a {type(expected).__name__} was expected")
    rtol, atol = terms.tolerances(*[_NUMBERS[type(one)] for one in (actual, expected)])
    if actual == expected or (terms.equal_nan and actual != actual and expected != expected):
        return
    difference = abs(actual - expected)
    if not (difference <= atol + rtol * abs(expected) and difference != float("inf")):
        relative = difference / abs(expected) if expected else float("inf")
        raise terms.failure(
            f"the numbers are not close: {actual} was found, {expected} was expected"
            f"\n  absolute difference  {difference}, allowed {atol}"
            f"\n  relative difference  {relative}, allowed {rtol}"
        )


def _compare_tensors(actual: Tensor, expected: Tensor, terms: _Terms) -> None:
    if actual.shape != expected.shape:
        raise terms.failure(f"the shapes differ: {list(actual.shape)} was found, {list(expected.shape)} was expected")
    if terms.check_dtype and actual.dtype is not expected.dtype:
        raise terms.failure(f"the dtypes differ: {actual.dtype} was found, {expected.dtype} was expected")
    if terms.check_stride and actual.stride() != expected.stride():
        raise terms.failure(f"the strides differ: {actual.stride()} was found, {expected.stride()} was expected")
    rtol, atol = terms.tolerances(actual.dtype, expected.dtype)
    a, e = (_wide(one) for one in (actual, expected))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(a - e)
        fits = (a == e) | ((difference <= atol + rtol * np.abs(e)) & np.isfinite(difference.astype(np.float64)))
    if terms.equal_nan:
        fits |= np.isnan(a) & np.isnan(e)
    if not np.all(fits):
        raise terms.failure(_described(a, e, fits, rtol, atol))


def _wide(tensor: Tensor) -> Any:
    """The values in a type that holds them and their differences."""
    array = tensor.detach()._array()
    if tensor.dtype.is_complex:
        return array.astype(np.complex128)
    if tensor.dtype is dtypes.int64 and np.any(np.abs(array) > 1 << 53):
        return array.astype(object)
    return array.astype(np.float64)


def _described(a: Any, e: Any, fits: Any, rtol: float, atol: float) -> str:
    with np.errstate(all="ignore"):
        difference = np.where(fits, 0.0, np.abs(a - e)).astype(np.float64)
        relative = difference / np.abs(e).astype(np.float64)
    relative = np.where(fits, 0.0, relative)
    lines = [
        f"the tensors are not {'close' if rtol or atol else 'equal'}:"
        f" {int((~fits).sum())} of {fits.size} elements differ"
    ]
    for name, amounts, allowed in (("absolute", difference, atol), ("relative", relative, rtol)):
        known = np.where(np.isnan(amounts), np.inf, amounts)
        place = tuple(int(one) for one in np.unravel_index(int(np.argmax(known)), known.shape))
        at = f" at {place}" if place else ""
        lines.append(f"  greatest {name} difference  {amounts[place]}{at}, allowed {allowed}")
    first = tuple(int(one) for one in np.argwhere(~fits)[0]) if fits.ndim else ()
    lines.append(f"  first difference{f' at {first}' if first else ''}: {a[first]} was found, {e[first]} was expected")
    return "\n".join(lines)
