"""Functions of floats as branch-free vector code: ``exp(f, x)`` appends instructions to ``f`` and gives the result."""

from zerograd.engines.native.mathematics.error_function import erf, erfc, erfinv, ndtr, ndtri
from zerograd.engines.native.mathematics.exponential import (
    cosh,
    exp,
    exp2,
    exp_not_large,
    exp_of_falling,
    exp2_not_large,
    exp2_of_falling,
    expm1,
    sigmoid,
    sinh,
    tanh,
)
from zerograd.engines.native.mathematics.gamma import digamma, lgamma, trigamma
from zerograd.engines.native.mathematics.logarithm import (
    acosh, asinh, atanh, entr, log, log1p, log2, log10, logaddexp, logaddexp2, logit, softplus, xlog1py, xlogy,
)  # fmt: skip
from zerograd.engines.native.mathematics.power import hypot, pow
from zerograd.engines.native.mathematics.trigonometry import acos, asin, atan, atan2, cos, sin, sinc, tan

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "digamma", "entr", "erf", "erfc",
    "erfinv", "exp", "exp2", "exp2_not_large", "exp2_of_falling", "exp_not_large", "exp_of_falling", "expm1",
    "hypot", "lgamma", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "logit", "ndtr", "ndtri", "pow",
    "sigmoid", "sin", "sinc", "sinh", "softplus", "tan", "tanh", "trigamma", "xlog1py", "xlogy",
]  # fmt: skip
