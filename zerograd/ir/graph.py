"""Types, ops and nodes: structure only. No data lives here.

op     what can be computed: shape rule, meaning, gradient, domain
node   an op applied to nodes: immutable, and met again whenever the program does the same thing again
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from zerograd.dtypes import dtype
from zerograd.shapes import Shape, count

Array = np.ndarray[Any, np.dtype[Any]]
Rule = Callable[..., Any]

_numbers = itertools.count()
_types: dict[tuple[Shape, dtype, bool], TensorType] = {}
registry: dict[str, Op] = {}
GIVEN = ("grad", "out", "outs", "position", "types")  # what any gradient rule may ask for


class TensorType:
    """Shape and dtype of a value. Interned: equal types are the same object.

    Attributes:
        weak: the value is a Python number, which has a say in the category of a result but not in its width.
    """

    __slots__ = ("dtype", "shape", "weak")

    shape: Shape
    dtype: dtype
    weak: bool

    def __new__(cls, shape: Sequence[int], dtype: dtype, weak: bool = False) -> TensorType:
        shape = tuple(shape)
        found = _types.get((shape, dtype, weak))
        if found is None:
            found = object.__new__(cls)
            found.shape, found.dtype, found.weak = shape, dtype, weak
            _types[shape, dtype, weak] = found
        return found

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def count(self) -> int:
        return count(self.shape)

    @property
    def nbytes(self) -> int:
        return count(self.shape) * self.dtype.itemsize

    def with_shape(self, shape: Sequence[int]) -> TensorType:
        return TensorType(shape, self.dtype, self.weak)

    def with_dtype(self, dtype: dtype) -> TensorType:
        return TensorType(self.shape, dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorType, (self.shape, self.dtype, self.weak)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"

    __repr__ = __str__


class Op:
    """A primitive: all that is known of it, in one record.

    Attributes:
        name: unique; what graphs print.
        infer: the shape and dtype rule. Its positional parameters are the inputs' types, its keyword-only
            parameters the static attributes; it returns the type of the result, or a tuple of types for an op
            with several results. It raises PyTorch's error for operands that do not fit.
        reference: the meaning, ``(*arrays, **attrs) -> array`` (or a tuple), in NumPy.
        gradient: a rule per input, or one rule for all inputs, or ``None`` where nothing can be differentiated.
            A rule's parameter *names* say what it needs, and exactly that is kept until the backward pass:
            ``grad`` (a tuple with ``None`` gaps if there are several results), ``out`` (or ``outs``), an input
            (``x``), an input's type (``x_type``), ``position`` (which input the gradient is for), ``types``
            (of all inputs), an attribute. It returns a node of that input's type, or ``None`` for zero.
        domain: where the op is defined and smooth; generated tests draw from here.
        elementwise: every element of the result depends on the elements at the same place alone.
        inputs, attributes: the names of the inputs and of the static attributes.
        rules: the gradient rules, each with the names of its parameters.
    """

    __slots__ = ("attributes", "domain", "elementwise", "gradient", "infer", "inputs", "name", "reference", "rules")

    def __init__(
        self,
        name: str,
        infer: Callable[..., TensorType | tuple[TensorType, ...]],
        reference: Callable[..., Any],
        gradient: Rule | tuple[Rule | None, ...] | None = None,
        domain: tuple[float, float] = (-2.0, 2.0),
        elementwise: bool = False,
    ) -> None:
        if name in registry:
            raise ValueError(f"an op named {name!r} exists already")
        self.name, self.infer, self.reference, self.gradient = name, infer, reference, gradient
        self.domain, self.elementwise = domain, elementwise
        self.inputs, self.attributes = parameter_names(infer)
        rules = gradient if isinstance(gradient, tuple) else (gradient,)
        self.rules: tuple[tuple[Rule, tuple[str, ...]] | None, ...] = tuple(
            [rule and self._asking(rule) for rule in rules]
        )
        registry[name] = self

    def _asking(self, rule: Rule) -> tuple[Rule, tuple[str, ...]]:
        """The rule and what it asks for."""
        positional, keyword = parameter_names(rule)
        asked = positional + keyword
        if unknown := set(asked).difference(
            GIVEN, self.inputs, self.attributes, [f"{one}_type" for one in self.inputs]
        ):
            raise ValueError(f"the gradient of {self.name} asks for {sorted(unknown)}, which do not exist")
        return rule, asked

    def rule(self, position: int) -> tuple[Rule, tuple[str, ...]] | None:
        """The gradient rule for one input and the names of its parameters."""
        return self.rules[position if position < len(self.rules) else -1]

    def __call__(self, *inputs: Node, **attributes: Any) -> Any:
        """Record the application: a node, or a tuple of nodes for an op with several results."""
        return _record(self, inputs, attributes)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


class Call:
    """The public call that made a node: what ``grad_fn`` shows.

    Attributes:
        name: as PyTorch prints it, e.g. ``MulBackward0``.
        parents: the call's operands, with ``None`` for those without history.
        line: ``file:line`` of the user's call when this structure was first met.
        reads: PyTorch's gradient of this function reads an operand, so it can be differentiated again (to zeros)
            even where it does not depend on it.
    """

    __slots__ = ("line", "name", "parents", "reads")

    def __init__(self, name: str, parents: tuple[Node | None, ...], line: str, reads: bool = False) -> None:
        self.name, self.parents, self.line, self.reads = name, parents, line, reads


class Node:
    """``op`` applied to ``inputs`` under static ``attributes``. Immutable.

    A node says nothing about data: together with a trace, which binds arrays to its leaves, it denotes a value.

    Attributes:
        type: of the result; a tuple of types for an op with several results.
        tracked: whether gradients flow through it: recorded with gradients on, from a tracked input.
        constant: it depends on no leaf, so it can be computed anew anywhere.
        results: the projections of a node with several results.
        call: set once, by the public call that returned the node.
        strides: how its elements would lie in PyTorch's memory, if not in row-major order; says nothing about data.
        number: nodes are numbered as they are made.
        stamp, twin: bookkeeping of the recorder; the last trace that used the node, and the node that stands for
            the next occurrence of the same expression in one trace.
    """

    __slots__ = (
        "attributes",
        "call",
        "constant",
        "inputs",
        "number",
        "op",
        "results",
        "stamp",
        "strides",
        "tracked",
        "twin",
        "type",
    )

    def __init__(self, op: Op, inputs: tuple[Node, ...], attributes: dict[str, Any], type: Any, tracked: bool) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.type = type
        self.tracked = tracked
        self.constant = op is not leaf and all([one.constant for one in inputs])  # noqa: C419  faster
        self.results: tuple[Node, ...] = ()
        self.call: Call | None = None
        self.strides: Shape | None = None
        self.number = next(_numbers)
        self.stamp = 0
        self.twin: Node | None = None

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> dtype:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.type}>"


def parameter_names(function: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a function's positional (with ``*args``) and keyword-only parameters.

    Read off the code object: inspect.signature would be a third of the time that importing zerograd takes.
    """
    code = function.__code__
    names, positional, keyword = code.co_varnames, code.co_argcount, code.co_kwonlyargcount
    rest = names[positional + keyword : positional + keyword + 1] if code.co_flags & inspect.CO_VARARGS else ()
    return names[:positional] + rest, names[positional : positional + keyword]


def _unbound(*_: object, **__: object) -> Array:
    raise AssertionError("a leaf is bound by its trace, never computed")


leaf: Final = Op("leaf", lambda *, slot, type: type, _unbound)
"""Data from outside: the ``slot``-th array or number that a trace used."""

variable: Final = Op("variable", lambda x, *, index: x, lambda x, *, index: x)
"""Where differentiation ends in a trace: the ``index``-th source of history that the trace met."""

output: Final = Op("output", lambda *types, index: types[index], lambda values, *, index: values[index])
"""One result of a node with several."""


_record: Callable[[Op, tuple[Node, ...], dict[str, Any]], Any] = _unbound


def recorded_by(function: Callable[[Op, tuple[Node, ...], dict[str, Any]], Any]) -> None:
    """Tells ops who records their applications: the recorder, which needs ops itself."""
    global _record
    _record = function
