"""One node with its operands, their bounds and its results: what the rules for bounds work on."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd.dtypes import dtype
from zerograd.engines.checking.tolerances import Freedoms
from zerograd.engines.checking.trial import arrays_in
from zerograd.ir.graph import Array, Node

Bound = Array | None
SIGNIFICANT = 1e-150  # smaller bounds say no more than that the sign of a zero is open

_WIDER = {
    "float16": np.float64, "bfloat16": np.float64, "float32": np.float64, "float64": np.longdouble,
    "complex64": np.complex128, "complex128": np.clongdouble,
}  # fmt: skip


def wide(x: Any) -> Array:
    """Floats and complex numbers in a type with more digits; others as they are."""
    x = np.asarray(x)
    kind = _WIDER.get(x.dtype.name)
    return x if kind is None else x.astype(kind)


def size_of(x: Array) -> Array:
    """The sizes of numbers as float64."""
    return np.abs(wide(x)).astype(np.float64)


def moved(e: Bound) -> bool:
    """Whether a bound allows more than another sign of zero anywhere."""
    return e is not None and bool((~(e <= SIGNIFICANT)).any())


def times(size: Array, e: Array) -> Array:
    """size * e, where nothing is allowed 0 even for infinite sizes."""
    return np.where(e == 0, 0.0, size * e)


class Step:
    """A node while its bounds are found.

    Attributes:
        xs: its operands.
        es: their bounds.
        outs: its results.
        freedoms: what the engine may do.
    """

    def __init__(
        self,
        node: Node,
        xs: tuple[Array, ...],
        es: tuple[Any, ...],
        outs: tuple[Array, ...],
        freedoms: Freedoms,
    ) -> None:
        self.node, self.xs, self.es, self.outs, self.freedoms = node, xs, es, outs, freedoms
        self._wide_outs: tuple[Array, ...] | None = None
        self._tried = False

    @property
    def name(self) -> str:
        return self.node.op.name

    @property
    def attributes(self) -> dict[str, Any]:
        return self.node.attributes

    @property
    def dtype(self) -> dtype:
        """Of the first result."""
        type = self.node.type
        return type[0].dtype if isinstance(type, tuple) else type.dtype

    def applied(self, *arrays: Any, **changed: Any) -> Any:
        """The op's reference on other operands."""
        return self.node.op.reference(*arrays, **{**self.attributes, **changed})

    def wide_outs(self) -> tuple[Array, ...] | None:
        """The results computed in wider types; ``None`` if the reference cannot."""
        if not self._tried:
            self._tried = True
            try:
                self._wide_outs = arrays_in(self.applied(*map(wide, self.xs)))
            except Exception:
                self._wide_outs = None
        return self._wide_outs

    def sizes(self, place: int) -> Array:
        """The sizes of an operand; those that are not finite count as 0, their results are judged apart."""
        size = size_of(self.xs[place])
        return np.where(np.isfinite(size), size, 0.0)

    def bound(self, place: int) -> Array:
        """The bounds of an operand as an array."""
        e = self.es[place]
        return np.zeros(self.xs[place].shape) if e is None else e

    def unsure(self, place: int) -> Array:
        """Where an operand may have another value (a zero's sign apart)."""
        return ~(self.bound(place) <= SIGNIFICANT)
