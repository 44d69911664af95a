"""Elementwise ops whose references raise an error for some values: a kernel reports those in the status word.

What it computes for them is of no use to anyone; the reference is then asked, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from zerograd.dtypes import dtype
from zerograd.engines.native import choice, mathematics
from zerograd.engines.native.conversion import round_to
from zerograd.engines.native.emit import Function, Value, lanes
from zerograd.engines.native.kernel import KernelFunction

Checked = Callable[[Function, Mapping[str, Any], Sequence[dtype], Sequence[Value]], tuple[Value, Value]]
"""(f, attributes, operands' dtypes, operands) -> the result, and an i1 a lane: what is wrong."""

LEAST_LOGARITHM = -100.0


def _within(
    f: Function, attributes: Mapping[str, Any], kinds: Sequence[dtype], xs: Sequence[Value]
) -> tuple[Value, Value]:
    (x,) = xs
    wrong = _outside(f, x, attributes["size"], kinds[0])
    ignored = attributes["ignored"]
    return x, wrong if ignored is None else f.and_(wrong, f.compare("ne", x, ignored))


def _outside(f: Function, x: Value, size: int, kind: dtype) -> Value:
    """Whether places are not in [0, size), which may be more than their dtype can hold."""
    if size >= 1 << (8 * kind.itemsize - kind.is_signed):
        return f.compare("slt" if kind.is_signed else "ult", x, 0)
    return f.compare("uge", x, size)


def wrapped(f: Function, x: Value, size: Value | int) -> tuple[Value, Value]:
    """Places (i64) counted from the front, 0 for wrong ones; and which are wrong."""
    x = f.select(f.compare("slt", x, 0), f.add(x, size), x)
    wrong = f.compare("uge", x, size)
    return f.select(wrong, f.const(0, x.type), x), wrong


def _wrap(
    f: Function, attributes: Mapping[str, Any], kinds: Sequence[dtype], xs: Sequence[Value]
) -> tuple[Value, Value]:
    return wrapped(f, xs[0], attributes["size"])


def _binary_cross_entropy(
    f: Function, attributes: Mapping[str, Any], kinds: Sequence[dtype], xs: Sequence[Value]
) -> tuple[Value, Value]:
    p, y = xs
    least = f.const(LEAST_LOGARITHM, p.type)
    yes = f.mul(y, choice.maximum(f, kinds[0], mathematics.log(f, p), least))
    no = f.mul(f.sub(1.0, y), choice.maximum(f, kinds[0], mathematics.log1p(f, f.neg(p)), least))
    right = f.and_(f.compare("oge", p, 0.0), f.compare("ole", p, 1.0))
    return round_to(f, f.neg(f.add(yes, no)), kinds[0]), f.not_(right)


_CHECKED: Final[dict[str, tuple[Checked, str]]] = {  # with the kinds of dtypes: i(nteger) or f(loat)
    "within": (_within, "i"),
    "wrap": (_wrap, "i"),
    "binary_cross_entropy": (_binary_cross_entropy, "f"),
}
CHECKED: Final = frozenset(_CHECKED)
NO_MATTER: Final = frozenset(("problem",))
"""Attributes that kernels do not depend on."""


def supported(name: str, kinds: Sequence[dtype]) -> bool:
    """Whether ``emit`` knows the op for dtypes that can be in registers."""
    return name in _CHECKED and all("bif"[kind.category] in _CHECKED[name][1] for kind in kinds)


def emit(
    f: Function,
    name: str,
    attributes: Mapping[str, Any],
    kinds: Sequence[dtype],
    operands: Sequence[Value],
    mask: Value | None,
) -> Value:
    """Append the instructions of one op, and of the report; lanes where the mask is false are not looked at."""
    result, wrong = _CHECKED[name][0](f, attributes, kinds, operands)
    report(f, wrong if mask is None else f.and_(wrong, mask))
    return result


def report(f: Function, wrong: Value) -> None:
    """Set the status word if something is wrong in a lane."""
    assert isinstance(f, KernelFunction)
    if lanes(wrong.type) > 1:
        wrong = f.intrinsic("vector.reduce.or", wrong, type="i1")
    f.if_(wrong, lambda: f.store(f.const(1, "i64"), f.load("ptr", f.buffers)))


__all__ = ["CHECKED", "NO_MATTER", "emit", "report", "supported", "wrapped"]
