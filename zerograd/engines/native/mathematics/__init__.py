"""Functions of floats as branch-free vector code: ``exp(f, x)`` appends instructions to ``f`` and gives the result."""

from zerograd.engines.native.mathematics.error_function import erf, erfc
from zerograd.engines.native.mathematics.exponential import cosh, exp, exp2, expm1, sigmoid, sinh, tanh
from zerograd.engines.native.mathematics.logarithm import (
    acosh, asinh, atanh, log, log1p, log2, log10, logaddexp, logaddexp2, softplus,
)  # fmt: skip
from zerograd.engines.native.mathematics.power import hypot, pow
from zerograd.engines.native.mathematics.trigonometry import acos, asin, atan, atan2, cos, sin, tan

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1",
    "hypot", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "pow", "sigmoid", "sin", "sinh", "softplus",
    "tan", "tanh",
]  # fmt: skip
