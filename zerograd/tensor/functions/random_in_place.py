"""Tensor methods that overwrite a tensor with random numbers, in the order of its elements in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Array, Node
from zerograd.ops.random import sampled
from zerograd.runtime import random
from zerograd.shapes import Shape, broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply
from zerograd.tensor.functions import memory_order
from zerograd.tensor.functions.arguments import integer
from zerograd.tensor.functions.random import number, of_drawn
from zerograd.tensor.generator import stream_of


def _fill(self: TensorBase, body: Callable[..., Any], draw: Callable[[Shape, bool], Array]) -> Any:
    """Put drawn numbers in place of the tensor's; of its history nothing stays but gradients of zero."""
    self._check_writable()
    shape, strides = self._laid_out().shape, self._laid_out().strides
    if any(stride == 0 and n > 1 for n, stride in zip(shape, strides, strict=True)):
        raise errors.runtime(
            "elements of this tensor share memory, so each cannot get a number of its own",
            tensor=self._type,
            strides=strides,
            hint="an expanded tensor has fewer elements than it shows; .clone() it first",
        )
    drawn = of_drawn(random.drawn(lambda: memory_order.filled(shape, strides, draw)))
    if self.requires_grad:
        drawn = apply(body, (drawn, self))
    return self._assign(drawn._node())


def _body(label: str) -> Callable[[Node, Node], Node]:
    def body(drawn: Node, before: Node) -> Node:
        return sampled(drawn, before)

    body.label = label  # pyright: ignore[reportFunctionMemberAccess]
    return body


_UNIFORM, _NORMAL, _EXPONENTIAL, _CAUCHY, _LOG_NORMAL, _GEOMETRIC = (
    _body(f"{name}Backward0") for name in ("Uniform", "Normal", "Exponential", "Cauchy", "LogNormal", "Geometric")
)
_RANDOM = tuple(_body(f"RandomBackward{i}") for i in range(3))
_BERNOULLI = tuple(_body(f"BernoulliBackward{i}") for i in range(3))


def _bounds(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The bounds ``from`` and ``to`` that were given; the first is a keyword of Python, hence the dicts.

    Raises:
        TypeError: other arguments.
    """
    bounds = dict(zip(("from", "to"), given, strict=False))
    if len(given) > 2 or named.keys() & bounds.keys() or named.keys() - {"from", "to"}:
        raise errors.type_(f"{name}() takes from, to and generator", got=[*given, *named])
    return bounds | named


def uniform_(self: TensorBase, *bounds: float, generator: Any = None, **named: Any) -> Any:
    """Uniform numbers in [from, to), by default [0, 1). Source: torch.Tensor.uniform_."""
    given, stream, kind = _bounds("uniform_", bounds, named), stream_of(generator), self.dtype
    low, high = number("from", given.get("from", 0.0)), number("to", given.get("to", 1.0))
    return _fill(self, _UNIFORM, lambda shape, _: random.uniform(stream, shape, kind, low, high))


def normal_(self: TensorBase, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Normal numbers with this mean and standard deviation. Source: torch.Tensor.normal_."""
    stream, kind, mean, std = stream_of(generator), self.dtype, number("mean", mean), number("std", std)

    def draw(shape: Shape, contiguous: bool) -> Array:
        return random.normal(stream, shape, kind, mean, std, contiguous=contiguous)

    return _fill(self, _NORMAL, draw)


def random_(self: TensorBase, *bounds: int, generator: Any = None, **named: Any) -> Any:
    """Whole numbers: ``random_(from, to)`` in [from, to), ``random_(to)`` in [0, to).

    ``random_()`` gives those that the dtype represents exactly and without a sign; ``random_(from, None)``
    all of them from ``from`` on.

    Source: torch.Tensor.random_.
    """
    given, stream, kind = _bounds("random_", bounds, named), stream_of(generator), self.dtype
    if not given:
        return _fill(self, _RANDOM[2], lambda shape, _: random.integers_of_dtype(stream, shape, kind))
    if "to" not in given:
        if "from" in named:
            raise errors.type_("random_() needs to= beside from=; to=None means no upper bound")
        given = {"to": given["from"]}
    body = _RANDOM[0] if "from" in given else _RANDOM[1]
    low = integer(given.get("from", 0), "from")
    high = None if given["to"] is None and "from" in given else integer(given["to"], "to")
    return _fill(self, body, lambda shape, _: random.integers(stream, shape, kind, low, high))


def bernoulli_(self: TensorBase, p: Any = 0.5, *, generator: Any = None) -> Any:
    """1 with probability ``p``, else 0; ``p`` is a number, or a floating tensor that broadcasts to this one.

    Source: torch.Tensor.bernoulli_.
    """
    stream, kind = stream_of(generator), self.dtype
    if not isinstance(p, TensorBase):
        probability = number("p", p)
        return _fill(self, _BERNOULLI[2], lambda shape, _: random.bernoulli(stream, shape, kind, probability))
    shape, strides = self._laid_out().shape, self._laid_out().strides
    probabilities = _broadcast(p, shape)

    def draw(shape: Shape, contiguous: bool) -> Array:
        each = probabilities if contiguous else probabilities.transpose(memory_order.memory_order(shape, strides))
        return random.bernoulli(stream, shape, kind, each)

    return _fill(self, _BERNOULLI[1], draw)


def _broadcast(p: TensorBase, shape: Shape) -> Array:
    if broadcast("bernoulli_", p._shape, shape) != shape:
        raise errors.runtime("bernoulli_: the probabilities do not broadcast to the tensor", p=p._type, shape=shape)
    return np.broadcast_to(p._array(), shape)


def exponential_(self: TensorBase, lambd: float = 1.0, *, generator: Any = None) -> Any:
    """Exponential numbers of mean 1 / lambd. Source: torch.Tensor.exponential_."""
    stream, kind, rate = stream_of(generator), self.dtype, number("lambd", lambd)
    return _fill(self, _EXPONENTIAL, lambda shape, _: random.exponential(stream, shape, kind, rate))


def cauchy_(self: TensorBase, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Any:
    """Cauchy numbers; sigma is half the distance between the quartiles. Source: torch.Tensor.cauchy_."""
    stream, kind = stream_of(generator), self.dtype
    median, sigma = number("median", median), number("sigma", sigma)
    return _fill(self, _CAUCHY, lambda shape, _: random.cauchy(stream, shape, kind, median, sigma))


def log_normal_(self: TensorBase, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Any:
    """exp of normal numbers with this mean and standard deviation. Source: torch.Tensor.log_normal_."""
    stream, kind, mean, std = stream_of(generator), self.dtype, number("mean", mean), number("std", std)
    return _fill(self, _LOG_NORMAL, lambda shape, _: random.log_normal(stream, shape, kind, mean, std))


def geometric_(self: TensorBase, p: float, *, generator: Any = None) -> Any:
    """The number of trials until a first success of probability p. Source: torch.Tensor.geometric_."""
    stream, kind, p = stream_of(generator), self.dtype, number("p", p)
    return _fill(self, _GEOMETRIC, lambda shape, _: random.geometric(stream, shape, kind, p))


METHODS = {
    "uniform_": uniform_, "normal_": normal_, "random_": random_, "bernoulli_": bernoulli_,
    "cauchy_": cauchy_, "exponential_": exponential_, "log_normal_": log_normal_, "geometric_": geometric_,
}  # fmt: skip
IN_PLACE = ()
