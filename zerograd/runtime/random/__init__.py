"""Random numbers, the same as PyTorch's CPU generator gives for the same seed.

Each function draws at once, from the given generator or (None) the default one, and returns a new NumPy
array. All draws take exactly as many words of the stream as PyTorch's, so streams of mixed draws stay
equal.

Equal bit for bit to PyTorch 2.13 on x86 with AVX2 or AVX-512: uniform, normal, integers, permutation,
bernoulli and dropout masks, exponential, cauchy, geometric, log_normal, multinomial with replacement,
gamma; where a logarithm, sine or tangent of float64 takes part, provided that both use the same C
library. Known differences:

- multinomial without replacement breaks ties between equal quotients by the lower index, PyTorch's
  top-k by its own order; this is seen with several zero weights that have to be drawn, or with 16-bit
  weights.
- poisson and binomial compare logarithms (of a factorial) whose last bit can differ: very rarely one
  side accepts what the other rejects, and from there on the streams differ.
- dirichlet rounds its sum in another order (last bit).
- On machines without AVX2 PyTorch itself computes normal numbers with other functions; ours stay the
  same.
- Some earlier versions of PyTorch drew bernoulli and exponential numbers on Intel machines from a
  generator of the MKL library instead; 2.13 does not.
"""

from typing import TYPE_CHECKING

from zerograd import lazily
from zerograd.runtime.random.generator import Generator, choose, default_generator

if TYPE_CHECKING:
    from zerograd.runtime.random.again import drawn
    from zerograd.runtime.random.counts import binomial, poisson
    from zerograd.runtime.random.gammas import dirichlet, gamma
    from zerograd.runtime.random.normals import normal
    from zerograd.runtime.random.uniforms import bernoulli, cauchy, exponential, geometric, log_normal, uniform
    from zerograd.runtime.random.weighted import multinomial
    from zerograd.runtime.random.whole_numbers import integers, integers_of_dtype, permutation

__getattr__, __dir__ = lazily.names(
    __name__,
    {
        "again": "drawn",
        "counts": "binomial poisson",
        "gammas": "dirichlet gamma",
        "normals": "normal",
        "uniforms": "bernoulli cauchy exponential geometric log_normal uniform",
        "weighted": "multinomial",
        "whole_numbers": "integers integers_of_dtype permutation",
    },
)

__all__ = [
    "Generator",
    "bernoulli",
    "binomial",
    "cauchy",
    "choose",
    "default_generator",
    "dirichlet",
    "drawn",
    "exponential",
    "gamma",
    "geometric",
    "integers",
    "integers_of_dtype",
    "log_normal",
    "multinomial",
    "normal",
    "permutation",
    "poisson",
    "uniform",
]
