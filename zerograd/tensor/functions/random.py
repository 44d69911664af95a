"""New tensors of random numbers.

Every function draws when it is called, in the order of the program, and gives PyTorch's numbers for the same
seed. Gradients with respect to the parameters of a distribution are zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.record import grad_mode
from zerograd.ops.random import sampled
from zerograd.runtime import random
from zerograd.shapes import Shape, broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled
from zerograd.tensor.functions import memory_order
from zerograd.tensor.functions.arguments import as_tensor_argument, integer, shape_of
from zerograd.tensor.functions.creation import options_of
from zerograd.tensor.generator import stream_of

Draw = Callable[[Shape, dtype], Array]


def of_drawn(array: Array) -> Any:
    """A new tensor that owns the drawn numbers."""
    return TensorBase.of_array(array, TensorType(array.shape, dtypes.from_numpy(array.dtype)))


def _made(name: str, size: Any, kind: dtype | None, draw: Draw, options: dict[str, Any]) -> Any:
    """A tensor of this size, of the dtype in the options, that of ``out``, ``kind``, or the default one."""
    if "size" in options:
        size = (*size, options.pop("size"))
    if not size:
        raise errors.type_(f"{name}() needs a size, for instance {name}(2, 3) or {name}((2, 3))")
    shape = shape_of(name, size)
    found = options_of(name, options)
    out = found.out
    if out is None:
        kind = found.dtype or kind or dtypes.get_default_dtype()
        return _finished(kind, found.requires_grad, lambda: draw(shape, kind))
    return _written(name, as_tensor_argument(name, "out", out), shape, found.dtype, draw)


def _finished(kind: dtype, requires_grad: bool, draw: Callable[[], Array]) -> Any:
    if requires_grad and not kind.is_inexact:
        raise errors.runtime("only floating point and complex tensors can require gradients", dtype=kind)
    made = of_drawn(random.drawn(draw))
    return made.requires_grad_() if requires_grad else made


def _written(name: str, out: TensorBase, shape: Shape, wanted: dtype | None, draw: Draw) -> Any:
    """Drawn numbers in ``out``, in its dtype."""
    if wanted is not None and wanted is not out.dtype:
        raise errors.runtime(f"{name}: dtype does not match the dtype of out", dtype=wanted, out=out.dtype)
    out._check_writable()
    kind = out.dtype
    drawn = of_drawn(random.drawn(lambda: draw(shape, kind)))
    if out._shape != shape:
        out.resize_(shape)
    return out._assign(drawn._node())


# --- from a size ---------------------------------------------------------------------------------


def rand(*size: Any, generator: Any = None, **options: Any) -> Any:
    """Uniform numbers in [0, 1). Source: torch.rand."""
    stream = stream_of(generator)
    return _made("rand", size, None, lambda shape, kind: random.uniform(stream, shape, kind), options)


def randn(*size: Any, generator: Any = None, **options: Any) -> Any:
    """Normal numbers of mean 0 and variance 1. Source: torch.randn."""
    stream = stream_of(generator)
    return _made("randn", size, None, lambda shape, kind: random.normal(stream, shape, kind), options)


def randint(*bounds_and_size: Any, generator: Any = None, **options: Any) -> Any:
    """Whole numbers in [low, high): ``randint(high, size)`` or ``randint(low, high, size)``.

    Raises:
        TypeError: a bound is no integer, or the size is no tuple.
        RuntimeError: low >= high, or they do not fit the dtype.
    Source: torch.randint.
    """
    given, size = list(bounds_and_size), options.pop("size", None)
    if size is None and given:
        size = given.pop()
    if not isinstance(size, tuple | list):
        raise errors.type_(f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}")
    high = options.pop("high") if "high" in options else given.pop() if given else None
    low = options.pop("low") if "low" in options else given.pop() if given else 0
    if given or high is None:
        raise errors.type_("randint() takes (high, size) or (low, high, size)", got=bounds_and_size)
    low, high, stream = integer(low, "low"), integer(high, "high"), stream_of(generator)

    def draw(shape: Shape, kind: dtype) -> Array:
        return random.integers(stream, shape, kind, low, high)

    return _made("randint", (size,), dtypes.int64, draw, options)


def randperm(n: int, *, generator: Any = None, **options: Any) -> Any:
    """The numbers 0 to n - 1 in random order. Source: torch.randperm."""
    n, stream = integer(n, "n"), stream_of(generator)
    return _made("randperm", (n,), dtypes.int64, lambda _, kind: random.permutation(stream, n, kind), options)


# --- like another tensor -------------------------------------------------------------------------


def _made_like(name: str, input: Any, draw: Callable[[Shape, dtype, bool], Array], options: dict[str, Any]) -> Any:
    found = options_of(name, options)
    layout = as_tensor_argument(name, "input", input)._laid_out()
    kind = found.dtype or input.dtype

    def drawn() -> Array:
        return memory_order.filled(layout.shape, layout.strides, lambda shape, plain: draw(shape, kind, plain))

    return _finished(kind, found.requires_grad, drawn)


def rand_like(input: Any, *, generator: Any = None, **options: Any) -> Any:
    """Uniform numbers in [0, 1), of the size and dtype of ``input``. Source: torch.rand_like."""
    stream = stream_of(generator)
    return _made_like("rand_like", input, lambda shape, kind, _: random.uniform(stream, shape, kind), options)


def randn_like(input: Any, *, generator: Any = None, **options: Any) -> Any:
    """Normal numbers of mean 0 and variance 1, like ``input`` in size and dtype. Source: torch.randn_like."""
    stream = stream_of(generator)

    def draw(shape: Shape, kind: dtype, contiguous: bool) -> Array:
        return random.normal(stream, shape, kind, contiguous=contiguous)

    return _made_like("randn_like", input, draw, options)


def randint_like(input: Any, *bounds: Any, generator: Any = None, **options: Any) -> Any:
    """Whole numbers in [low, high) of the size and dtype of ``input``; called with (high) or (low, high).

    Source: torch.randint_like.
    """
    given = list(bounds)
    high = options.pop("high") if "high" in options else given.pop() if given else None
    low = options.pop("low") if "low" in options else given.pop() if given else 0
    if given or high is None:
        raise errors.type_("randint_like() takes (input, high) or (input, low, high)", got=bounds)
    low, high, stream = integer(low, "low"), integer(high, "high"), stream_of(generator)
    return _made_like(
        "randint_like", input, lambda shape, kind, _: random.integers(stream, shape, kind, low, high), options
    )


# --- from parameters -----------------------------------------------------------------------------


def _zero_gradients(label: str) -> Callable[[Any, Any], Any]:
    """Gives drawn numbers the history of a parameter, through which no gradients but zeros flow."""

    @labelled(label)
    def body(drawn: Node, parameter: Node) -> Node:
        return sampled(drawn, parameter)

    def with_history(drawn: Any, parameter: Any) -> Any:
        return apply(body, (drawn, parameter)) if parameter.requires_grad else drawn

    return with_history


_of_bernoulli = _zero_gradients("BernoulliBackward0")
_of_poisson = _zero_gradients("PoissonBackward0")
_of_mean = _zero_gradients("NormalBackward1")
_of_std = _zero_gradients("NormalBackward2")


def _result(name: str, drawn: Any, out: Any) -> Any:
    """The drawn numbers, or ``out`` with them in it."""
    if out is None:
        return drawn
    array = drawn._array()
    return _written(
        name,
        as_tensor_argument(name, "out", out),
        array.shape,
        None,
        lambda _, kind: array.astype(kind.numpy),
    )


def bernoulli(input: Any, p: float | None = None, *, generator: Any = None, out: Any = None) -> Any:
    """1 with probability ``input`` (or ``p``), else 0, for each element, in ``input``'s dtype.

    Raises:
        RuntimeError: a probability is not in [0, 1].
        NotImplementedError: the probabilities are not floating.
    Source: torch.bernoulli.
    """
    as_tensor_argument("bernoulli", "input", input)
    stream = stream_of(generator)
    if p is not None:
        shape, kind, probability = input._shape, input.dtype, number("p", p)
        drawn = random.drawn(lambda: random.bernoulli(stream, shape, kind, probability))
        return _result("bernoulli", of_drawn(drawn), out)
    kind = input.dtype if out is None else out.dtype
    drawn = of_drawn(random.bernoulli(stream, input._shape, kind, input._array()))
    return _of_bernoulli(drawn, input) if out is None else _result("bernoulli", drawn, out)


def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Any:
    """Indices of the last dimension, drawn in proportion to the weights in ``input``: int64.

    Args:
        input: weights, shape (categories,) or (rows, categories); they need not sum to 1.
        num_samples: how many indices for each row.
        replacement: whether an index can come again.
    Raises:
        RuntimeError: weights that are negative, infinite, NaN or all zero; more samples than categories
            without replacement; an ``out`` that is not int64.
    Source: torch.multinomial.
    """
    weights = as_tensor_argument("multinomial", "input", input)
    if out is not None and out.dtype is not dtypes.int64:
        raise errors.runtime("multinomial expects Long tensor out", out=out.dtype)
    count = integer(num_samples, "num_samples")
    return _result(
        "multinomial",
        of_drawn(random.multinomial(stream_of(generator), weights._array(), count, replacement)),
        out,
    )


def poisson(input: Any, generator: Any = None, *, out: Any = None) -> Any:
    """A Poisson number for each rate in ``input``, in its dtype.

    Raises:
        RuntimeError: a rate is negative.
    Source: torch.poisson.
    """
    as_tensor_argument("poisson", "input", input)
    drawn = of_drawn(random.poisson(stream_of(generator), input._array()))
    return _of_poisson(drawn, input) if out is None else _result("poisson", drawn, out)


def binomial(count: Any, prob: Any, generator: Any = None, *, out: Any = None) -> Any:
    """How many of ``count`` trials with success probability ``prob`` succeed; the two broadcast.

    Raises:
        ValueError: the counts are not floating.
    Source: torch.binomial.
    """
    as_tensor_argument("binomial", "count", count)
    as_tensor_argument("binomial", "prob", prob)
    shape = broadcast("binomial", count._shape, prob._shape)
    arrays = [np.broadcast_to(one._array(), shape) for one in (count, prob)]
    return _result("binomial", of_drawn(random.binomial(stream_of(generator), *arrays)), out)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    out: Any = None,
    **options: Any,
) -> Any:
    """Normal numbers: with a mean or a standard deviation for each element, or of a given size.

    Args:
        mean, std: tensors that broadcast, or numbers. Numbers for both need a ``size``.
    Raises:
        RuntimeError: a standard deviation is negative.
        TypeError: numbers without a size, or a tensor with one.
    Source: torch.normal.
    """
    means, deviations = isinstance(mean, TensorBase), isinstance(std, TensorBase)
    stream = stream_of(generator)
    if not means and not deviations:
        if not isinstance(size, tuple | list):
            raise errors.type_("normal(mean, std) of two numbers needs a size: normal(0.0, 1.0, size=(2, 3))")
        numbers = number("mean", mean), number("std", std)
        if out is not None:
            options["out"] = out
        return _made("normal", (size,), None, lambda shape, kind: random.normal(stream, shape, kind, *numbers), options)
    if size is not None or options:
        raise errors.type_("normal() of tensors takes its size and dtype from them", got=["size", *options])
    if deviations and (std._array() < 0).any():
        raise errors.runtime("normal: a standard deviation is negative")
    kind = mean.dtype if means else std.dtype
    if not deviations:
        shape, deviation = mean._shape, number("std", std)
        drawn = of_drawn(random.drawn(lambda: random.normal(stream, shape, kind, 0.0, deviation)))
    else:
        shape = broadcast("normal", std._shape, mean._shape if means else ())
        drawn = of_drawn(random.drawn(lambda: random.normal(stream, shape, kind)))
    with grad_mode(False):
        if deviations:
            drawn.mul_(std)
        drawn.add_(mean)
    if out is not None:
        return _result("normal", drawn, out)
    drawn = _of_mean(drawn, mean) if means else drawn
    return _of_std(drawn, std) if deviations else drawn


def number(name: str, value: Any) -> float:
    """A parameter given as a number, or as a tensor of one.

    Raises:
        TypeError: it is neither.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise errors.type_(f"argument '{name}' must be a number, not {type(value).__name__}") from None


METHODS = {"bernoulli": bernoulli, "multinomial": multinomial}
IN_PLACE = ()
