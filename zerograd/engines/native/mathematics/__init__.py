"""Functions of floats as branch-free vector code: ``exp(f, x)`` appends instructions to ``f`` and gives the result."""

from zerograd.engines.native.mathematics.error_function import erf
from zerograd.engines.native.mathematics.exponential import exp, sigmoid, tanh
from zerograd.engines.native.mathematics.logarithm import log

__all__ = ["erf", "exp", "log", "sigmoid", "tanh"]
