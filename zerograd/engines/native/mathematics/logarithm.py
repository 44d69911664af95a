"""Logarithms.

x = 2ᵉ m with 1/√2 <= m < √2, and log(m) = r - r²/2 + r³ p(r) with r = m - 1.
"""

from __future__ import annotations

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.evaluation import (
    INFINITY,
    NAN,
    as_bits,
    as_floats,
    format_of,
    lanewise,
    polynomial,
)

# p(r) = (log(1 + r) - r + r²/2) / r³ with 1/√2 <= 1 + r <= √2, relative to the logarithm: 2^-27.3.
_LOG = {
    "float": (
        0.3333333134651184, -0.250008225440979, 0.20001250505447388, -0.1662333905696869, 0.14201423525810242,
        -0.13160103559494019, 0.1276281774044037, -0.07635273784399033,
    ),
}  # fmt: skip

_LOG_2 = {"float": (0.693359375, -2.12194440e-4)}
_LEAST_NORMAL = {"float": 2.0**-126, "double": 2.0**-1022}


def split(f: Function, x: Value) -> tuple[Value, Value]:
    """(e, m), both floats, of a positive, finite ``x``, also a subnormal one."""
    form = format_of(x)
    tiny = f.compare("olt", x, _LEAST_NORMAL[element(x.type)])
    bits = as_bits(f, f.select(tiny, f.mul(x, 2.0**form.mantissa), x))
    e = f.ashr(f.sub(bits, form.pattern(0.5**0.5)), form.mantissa)
    m = as_floats(f, f.sub(bits, f.shl(e, form.mantissa)), x)
    e = f.sub(e, f.select(tiny, f.const(form.mantissa, e.type), 0))
    return f.value(x.type, f"sitofp {e.type} {e.name} to {x.type}"), m


def at_borders(f: Function, x: Value, result: Value) -> Value:
    """The result of a logarithm: -infinity at 0, NaN for negative x and NaN, infinity at infinity."""
    ordinary = f.and_(f.compare("ogt", x, 0.0), f.compare("olt", x, INFINITY))
    negative = f.select(f.compare("olt", x, 0.0), f.const(NAN, x.type), x)
    border = f.select(f.compare("oeq", x, 0.0), f.const(-INFINITY, x.type), negative)
    return f.select(ordinary, result, border)


def log(f: Function, x: Value) -> Value:
    """The natural logarithm; float: < 1.1 ulp."""
    if element(x.type) == "double":
        return lanewise(f, "log", x)
    high, low = _LOG_2[element(x.type)]
    e, m = split(f, x)
    r = f.sub(m, 1.0)
    square = f.mul(r, r)
    rest = f.mul(f.mul(square, r), polynomial(f, r, _LOG[element(x.type)]))
    rest = f.muladd(square, -0.5, f.muladd(e, low, rest))
    return at_borders(f, x, f.muladd(e, high, f.add(rest, r)))
