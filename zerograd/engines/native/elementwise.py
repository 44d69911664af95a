"""Elementwise ops as instructions: what each means is its NumPy reference (``Op.reference``).

    value = emit(f, "mul", {}, (float32, float32), (x, y))

Values stand in registers as ``conversion`` says. Half types are computed in float32 and rounded after every op, as the
references round them. Ops whose references raise errors for some values are not here, nor are complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from zerograd.dtypes import dtype
from zerograd.engines.native import arithmetic, choice, conversion, mathematics
from zerograd.engines.native.conversion import computable, load, round_to, store
from zerograd.engines.native.emit import Function, Value, is_float

Emitter = Callable[..., Value]


class Entry:
    """How one op is computed.

    Attributes:
        emit: ``(f, *operands) -> value``; with ``typed`` ``(f, dtype, *operands)``, the dtype being the last operand's.
        kinds: for which operands: letters of b(ool), i(nteger), f(loat).
        rounds: whether the result of half types needs rounding.
        typed: whether ``emit`` wants the dtype.
    """

    __slots__ = ("emit", "kinds", "rounds", "typed")

    def __init__(self, emit: Emitter, kinds: str = "f", rounds: bool = True, typed: bool = False) -> None:
        self.emit, self.kinds, self.rounds, self.typed = emit, kinds, rounds, typed


def _itself(f: Function, x: Value) -> Value:
    return x


def _intrinsic(name: str) -> Emitter:
    return lambda f, x: f.intrinsic(name, x)


def _either(of_floats: Emitter, of_integers: Emitter) -> Emitter:
    """An emitter that wants the dtype for integers only."""
    return lambda f, kind, *xs: of_floats(f, *xs) if is_float(xs[0].type) else of_integers(f, kind, *xs)


exact = partial(Entry, rounds=False)  # half types need no rounding
typed = partial(Entry, rounds=False, typed=True)

_FUNCTIONS: Final = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "digamma", "entr", "erf", "erfc",
    "erfinv", "exp", "exp2", "exp_of_falling", "expm1", "hypot", "lgamma", "log", "log1p", "log2", "log10", "logaddexp",
    "logaddexp2", "logit", "ndtr", "ndtri", "sigmoid", "sin", "sinc", "sinh", "softplus", "tan", "tanh", "trigamma",
    "xlog1py", "xlogy",
)  # fmt: skip

_TABLE: Final[dict[str, Entry]] = {
    # arithmetic
    "add": Entry(arithmetic.add, "bif"),
    "sub": Entry(Function.sub, "if"),
    "mul": Entry(arithmetic.mul, "bif"),
    "div": Entry(Function.div),
    "neg": exact(Function.neg, "if"),
    "abs": typed(arithmetic.absolute, "bif"),
    "square": Entry(arithmetic.square, "if"),
    "reciprocal": Entry(arithmetic.reciprocal),
    "sqrt": Entry(Function.sqrt),
    "root": Entry(Function.sqrt),
    "rsqrt": Entry(arithmetic.rsqrt),
    "lerp": Entry(arithmetic.lerp),
    "div_floor": Entry(_either(arithmetic.float_div_floor, arithmetic.integer_div_floor), "if", typed=True),
    "div_trunc": Entry(_either(arithmetic.float_div_trunc, arithmetic.integer_div_trunc), "if", typed=True),
    "remainder": Entry(_either(arithmetic.float_remainder, arithmetic.integer_remainder), "if", typed=True),
    "fmod": Entry(_either(arithmetic.float_fmod, arithmetic.integer_fmod), "if", typed=True),
    "gcd": typed(arithmetic.greatest_common_divisor, "i"),
    "lcm": typed(arithmetic.least_common_multiple, "i"),
    # bits
    "bit_not": exact(Function.not_, "bi"),
    "bit_and": exact(Function.and_, "bi"),
    "bit_or": exact(Function.or_, "bi"),
    "bit_xor": exact(Function.xor, "bi"),
    "shift_left": exact(arithmetic.shift_left, "i"),
    "shift_right": typed(arithmetic.shift_right, "i"),
    # comparison and choice
    **{name: typed(choice.comparison(name), "bif") for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    "where": exact(Function.select, "bif"),
    "maximum": typed(choice.maximum, "bif"),
    "minimum": typed(choice.minimum, "bif"),
    "clamp_min": typed(choice.maximum, "bif"),
    "clamp_max": typed(choice.minimum, "bif"),
    "fmax": typed(choice.fmax, "bif"),
    "fmin": typed(choice.fmin, "bif"),
    "clamp": typed(choice.clamp, "bif"),
    "relu": typed(choice.relu, "if"),
    "sign": typed(choice.sign, "bif"),
    "signbit": typed(choice.signbit, "bif"),
    "heaviside": typed(choice.heaviside, "bif"),
    "angle": Entry(choice.angle),
    "copysign": exact(Function.copysign),
    "nextafter": typed(choice.nextafter),
    # whole numbers
    "floor": exact(_intrinsic("floor")),
    "ceil": exact(_intrinsic("ceil")),
    "trunc": exact(_intrinsic("trunc")),
    "round": exact(_intrinsic("rint")),
    # the value itself
    "copy": exact(_itself, "bif"),
    "stop": exact(_itself, "bif"),
    "conjugate": exact(_itself, "if"),
    "real": exact(_itself, "bif"),
    # functions
    **{name: Entry(getattr(mathematics, name)) for name in _FUNCTIONS},
    "pow": Entry(_either(mathematics.pow, arithmetic.integer_pow), "if", typed=True),
}


def supported(name: str, kinds: Iterable[dtype]) -> bool:
    """Whether ``emit`` knows the op for these dtypes: its operands', and, if that is given too, its result's."""
    kinds = tuple(kinds)
    if not computable(*kinds):
        return False
    if name == "cast":
        return True
    entry = _TABLE.get(name)
    checked = kinds[1:] if name == "where" else kinds  # the condition is always bool
    return entry is not None and all("bif"[kind.category] in entry.kinds for kind in checked[:1])


def emit(
    f: Function,
    name: str,
    attributes: Mapping[str, Any],
    kinds: Sequence[dtype],
    operands: Sequence[Value],
) -> Value:
    """Append the instructions of one op.

    Args:
        f: the function under construction.
        name: the op's, or what stands for it (``values.form``).
        attributes: the op's.
        kinds: the operands' dtypes (what follows them is not read).
        operands: in registers, as ``load`` gives them; all with the same number of lanes.
    """
    if name == "cast":
        return conversion.cast(f, operands[0], kinds[0], attributes["dtype"])
    entry = _TABLE[name]
    kind = kinds[len(operands) - 1]
    result = entry.emit(f, kind, *operands) if entry.typed else entry.emit(f, *operands)
    return round_to(f, result, kind) if entry.rounds else result


__all__ = ["emit", "load", "round_to", "store", "supported"]
