"""The error function.

erf(x) = 1 - exp(-t (1 + p(t))) with t = |x|, so p(t) = -log(1 - erf(t)) / t - 1, which is smooth.
"""

from __future__ import annotations

from zerograd.engines.native.emit import Function, Value, element
from zerograd.engines.native.mathematics.evaluation import at_most, lanewise, polynomial
from zerograd.engines.native.mathematics.exponential import expm1_of_moderate

# p on 0 <= t <= 3.95; what its error changes is 2^-26.4 of erf(t).
_ERF = {
    "float": (
        0.12837916612625122, 0.6366195678710938, 0.10277630388736725, -0.019147826358675957, -0.00016948469692135066,
        0.001674992498010397, -0.0006361408741213381, 0.00011817355698440224, -9.268180292565376e-06,
    ),
}  # fmt: skip
_ONE_FROM = {"float": 3.95}  # erf rounds to 1 from here on


def erf(f: Function, x: Value) -> Value:
    """The error function; float: < 2 ulp."""
    if element(x.type) == "double":
        return lanewise(f, "erf", x)
    size = at_most(f, f.abs(x), _ONE_FROM[element(x.type)])
    exponent = f.muladd(size, polynomial(f, size, _ERF[element(x.type)]), size)
    return f.copysign(f.neg(expm1_of_moderate(f, f.neg(exponent))), x)
