"""The door: where public calls on tensors become remembered calls on nodes.

A public function hands its tensors and its static arguments to ``apply`` together with a *body*, a pure function of
nodes. Met again, the call is one look-up; on a miss the body runs: it promotes and broadcasts its operands
(``promote``, ``together``), checks them (errors surface here, at the user's line) and records ops.

``apply``, ``unary``, ``binary`` and ``weighted`` are written out each: every operation of every program passes one of
them, and a function call more would add eight per cent to what recording it costs (3.11, ``relu``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node
from zerograd.ir.record import Value, call, local, new_call, next_occurrence, number, recorder
from zerograd.ops.elementwise import cast
from zerograd.ops.movement import broadcast_to
from zerograd.runtime.realize import launch
from zerograd.shapes import broadcast
from zerograd.tensor.base import TensorBase
from zerograd.tensor.pack import Pack

NUMBERS = (bool, int, float, complex)
_number_classes = frozenset(NUMBERS)
Body = Callable[..., Any]


def operand(x: Any) -> Any:  # noqa: PLR0911  one for each kind
    """An argument as a body sees it: tensors and numbers as nodes, sequences as tuples, ``None`` as it is."""
    if x is None:
        return None
    kind = x.__class__
    if kind in _number_classes:
        own = recorder.own
        leaves = own.trace.leaves
        node = own.number_nodes[kind].get(len(leaves))
        if node is None or own.depth:
            return number(x)
        leaves.append(x)
        return node
    if kind is Pack:
        return x.read()
    if kind is tuple or kind is list:
        return _operands(x)
    if isinstance(x, TensorBase):
        return x._node()
    if isinstance(x, list | tuple):
        return _operands(x)
    if isinstance(x, NUMBERS):
        return number(x)
    if isinstance(x, np.generic):
        return number(x.item())
    raise errors.type_(f"expected a Tensor or a number, got {type(x).__name__}")


def _operands(xs: Sequence[Any]) -> tuple[Any, ...]:
    """Many operands; or nodes, which are none any more."""
    kind = xs[0].__class__ if xs else None
    if kind is Node:
        return tuple(xs)
    if kind in _number_classes:
        return tuple([operand(one) for one in xs])
    serial = recorder.own.trace.serial
    try:
        nodes = [one._at if one._serial == serial else one._node() for one in xs]
    except AttributeError:
        nodes = [operand(one) for one in xs]
    return tuple(nodes)


def wrap(result: Any) -> Any:
    """New tensors for the result nodes of a body."""
    if result is None:
        return None
    if isinstance(result, Node):
        tensor = TensorBase.of_node(result)
    else:
        tensor = tuple([one and TensorBase.of_node(one) for one in result])
    own = recorder.own
    trace = own.trace
    if len(trace.results) > trace.limit and not own.depth:
        launch()
    return tensor


new = object.__new__


def apply(body: Body, operands: tuple[Any, ...], statics: tuple[Any, ...] = ()) -> Any:
    """``body`` on tensors: a new tensor, or a tuple of them."""
    try:
        own = local.own
    except AttributeError:
        own = recorder.own
    trace = own.trace
    serial = trace.serial
    nodes: list[Any] = []
    for one in operands:
        if one is None:
            nodes.append(None)
            continue
        try:
            nodes.append(one._at if one._serial == serial else one._node())
        except AttributeError:
            nodes.append(operand(one))
    found = own.calls.get((body, statics, *nodes))
    if found is None or own.exact_lines:
        return wrap(new_call(own, body, tuple(nodes), statics))
    result = found.result
    if found.tracked:
        if found.stamp == serial:
            result = next_occurrence(own, found, body, tuple(nodes), statics)
        else:
            found.stamp = serial
    if result.__class__ is not Node:
        return wrap(result)
    tensor = new(TensorBase.result_class)
    tensor._at = result
    tensor._serial = serial
    results = trace.results
    results.append(tensor)
    if len(results) > trace.limit and not own.depth:
        launch()
    return tensor


def unary(body: Body) -> Callable[..., Any]:
    """The public function of one tensor for a body of one node."""

    def function(input: Any, *, out: Any = None) -> Any:
        try:
            own = local.own
        except AttributeError:
            own = recorder.own
        trace = own.trace
        serial = trace.serial
        try:
            x = input._at if input._serial == serial else input._node()
        except AttributeError:
            raise _not_a_tensor(function.__name__, input) from None
        found = own.calls.get((body, (), x))
        if found is None or own.exact_lines:
            result = new_call(own, body, (x,), ())
        else:
            result = found.result
            if found.tracked:
                if found.stamp == serial:
                    result = next_occurrence(own, found, body, (x,), ())
                else:
                    found.stamp = serial
        tensor = new(TensorBase.result_class)
        tensor._at = result
        tensor._serial = serial
        results = trace.results
        results.append(tensor)
        if len(results) > trace.limit and not own.depth:
            launch()
        return tensor if out is None else write_out(function.__name__, tensor, out)

    function.__name__ = function.__qualname__ = body.__name__.strip("_")
    function.__doc__ = body.__doc__
    return function


def number_operand(x: Any) -> Node | None:
    """A Python or NumPy number as a node, or ``None`` for anything else."""
    if isinstance(x, NUMBERS):
        return number(x)
    return number(x.item()) if isinstance(x, np.generic) else None


def _misfit(name: str, argument: str, x: Any, numbers: bool) -> TypeError:
    wanted = "Tensor or Number" if numbers else "Tensor"
    position = 1 if argument == "input" else 2
    return errors.type_(
        f"{name}(): argument '{argument}' (position {position}) must be {wanted}, not {type(x).__name__}",
        hint="torch.from_numpy(...) makes a tensor of it" if isinstance(x, np.ndarray) else None,
    )


def _not_a_tensor(name: str, x: Any) -> TypeError:
    return errors.type_(f"{name}(): argument 'input' must be Tensor, not {type(x).__name__}")


def binary(  # noqa: C901, PLR0915  in one piece, since it runs for every operation and a call costs time
    body: Body, *, left: bool = True, right: bool = True, operator: bool = False
) -> Callable[..., Any]:
    """The public function of two tensors for a body of two nodes.

    Args:
        left, right: whether a number may stand there.
        operator: the function is a method behind ``+`` or its like, so other types get their turn.
    """

    def function(input: Any, other: Any, *, out: Any = None) -> Any:  # noqa: C901, PLR0912, PLR0915
        try:
            own = local.own
        except AttributeError:
            own = recorder.own
        trace = own.trace
        serial = trace.serial
        try:
            x = input._at if input._serial == serial else input._node()
        except AttributeError:
            x = number_operand(input) if left else None
            if x is None:
                raise _misfit(function.__name__, "input", input, left) from None
        known = own.number_nodes.get(other.__class__) if right else None
        if known is not None:
            y = known.get(len(trace.leaves))
            if y is None or own.depth:
                y = number(other)
            else:
                trace.leaves.append(other)
        else:
            try:
                y = other._at if other._serial == serial else other._node()
            except AttributeError:
                y = number_operand(other) if right else None
                if y is None:
                    if operator:
                        return NotImplemented
                    raise _misfit(function.__name__, "other", other, right) from None
        found = own.calls.get((body, (), x, y))
        if found is None or own.exact_lines:
            result = new_call(own, body, (x, y), ())
        else:
            result = found.result
            if found.tracked:
                if found.stamp == serial:
                    result = next_occurrence(own, found, body, (x, y), ())
                else:
                    found.stamp = serial
        tensor = new(TensorBase.result_class)
        tensor._at = result
        tensor._serial = serial
        results = trace.results
        results.append(tensor)
        if len(results) > trace.limit and not own.depth:
            launch()
        return tensor if out is None else write_out(function.__name__, tensor, out)

    function.__name__ = function.__qualname__ = body.__name__.strip("_")
    function.__doc__ = body.__doc__
    return function


def weighted(body: Body) -> Callable[..., Any]:
    """The public function of an input, a weight and a bias, which may be ``None``, for a body of three nodes."""

    def function(input: Any, weight: Any, bias: Any = None) -> Any:
        try:
            own = local.own
        except AttributeError:
            own = recorder.own
        trace = own.trace
        serial = trace.serial
        try:
            x = input._at if input._serial == serial else input._node()
            y = weight._at if weight._serial == serial else weight._node()
            z = None if bias is None else bias._at if bias._serial == serial else bias._node()
        except AttributeError:
            return apply(body, (input, weight, bias))
        found = own.calls.get((body, (), x, y, z))
        if found is None or own.exact_lines:
            result = new_call(own, body, (x, y, z), ())
        else:
            result = found.result
            if found.tracked:
                if found.stamp == serial:
                    result = next_occurrence(own, found, body, (x, y, z), ())
                else:
                    found.stamp = serial
        tensor = new(TensorBase.result_class)
        tensor._at = result
        tensor._serial = serial
        results = trace.results
        results.append(tensor)
        if len(results) > trace.limit and not own.depth:
            launch()
        return tensor

    function.__name__ = function.__qualname__ = body.__name__.strip("_")
    function.__doc__ = body.__doc__
    return function


# --- what bodies are made of -----------------------------------------------------------------------


def rank_of(x: Node) -> int:
    """0: has dimensions, 1: a tensor without, 2: a Python number."""
    return 2 if x.type.weak else 0 if x.type.shape else 1


def common_dtype(*xs: Node) -> dtype:
    """PyTorch's promotion of operands."""
    return dtypes.result_type([(x.type.dtype, rank_of(x)) for x in xs])


def as_dtype(x: Node, kind: dtype) -> Node:
    """``x`` in the dtype, and no longer a mere number."""
    return x if x.type.dtype is kind and not x.type.weak else cast(x, dtype=kind)


def promote(*xs: Node, least: dtype | None = None, inexact: bool = False) -> tuple[Node, ...]:
    """Operands in their common dtype; integers become floats where ``inexact`` results are meant."""
    kind = common_dtype(*xs)
    if inexact and not kind.is_inexact:
        kind = dtypes.get_default_dtype()
    if least is not None:
        kind = dtypes.promote_types(kind, least)
    return tuple([as_dtype(x, kind) for x in xs])


def together(name: str, *xs: Node, inexact: bool = False) -> tuple[Node, ...]:
    """Operands in one dtype and one shape."""
    shape = broadcast(name, *[x.shape for x in xs])
    return tuple([broadcast_to(x, shape) for x in promote(*xs, inexact=inexact)])


def floats(x: Node) -> Node:
    """``x``, with integers and booleans as the default float dtype."""
    return x if x.dtype.is_inexact and not x.type.weak else promote(x, inexact=True)[0]


def labelled(label: str | Callable[..., str]) -> Callable[[Body], Body]:
    """Names a body as ``grad_fn`` shows it, where that isn't its own name in capitals.

    Args:
        label: the name, or a function that tells it from the operands and static arguments.
    """

    def mark(body: Body) -> Body:
        body.label = label  # pyright: ignore[reportFunctionMemberAccess]
        return body

    return mark


def reading(body: Body) -> Body:
    """Marks a body whose gradient, in PyTorch, reads an operand: see ``Call.reads``."""
    body.reads = True  # pyright: ignore[reportFunctionMemberAccess]
    return body


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A pure function of tensors, written with public tensor functions, whose structure is remembered.

    Positional parameters are operands: tensors, ``None``, lists of them, and numbers, which are run-time inputs.
    Keyword-only parameters are static: hashable, part of the structure. The body runs only when the structure is
    new; it must not read values, draw random numbers or use tensors that aren't its operands. Inside, numbers are
    constants. The result is a tensor or a (nested) tuple or list of them.
    """
    parameters = inspect.signature(function).parameters.values()
    names = tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
    defaults = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def body(*nodes_and_statics: Any) -> Any:
        count = len(nodes_and_statics) - len(names)
        statics = dict(zip(names, nodes_and_statics[count:], strict=True))
        return _unwrapped(function(*[_wrapped(one) for one in nodes_and_statics[:count]], **statics))

    body.__name__ = function.__name__
    body.label = getattr(function, "label", None) or None  # pyright: ignore[reportFunctionMemberAccess]

    @functools.wraps(function)
    def remembering(*operands: Any, **statics: Any) -> Any:
        values = tuple([statics.get(name, defaults[name]) for name in names])
        return _rewrapped(call(body, tuple([operand(one) for one in operands]), values))

    def into(targets: Sequence[TensorBase | Pack], *operands: Any, **statics: Any) -> None:
        """Write the results, in their order, into ``targets`` in place; a pack takes one for each member."""
        values = tuple([statics.get(name, defaults[name]) for name in names])
        nodes = call(body, tuple([operand(one) for one in operands]), values)
        write_into(targets, nodes)

    remembering.into = into  # pyright: ignore[reportAttributeAccessIssue]
    return remembering


def _wrapped(x: Any) -> Any:
    if isinstance(x, Node):
        return TensorBase.of_node(x)
    return x if x is None else [_wrapped(one) for one in x]


def _unwrapped(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return x._node()
    return x if x is None else tuple([_unwrapped(one) for one in x])


def _rewrapped(x: Any) -> Any:
    if isinstance(x, tuple) and any(isinstance(one, tuple) for one in x):
        return _nested(x)  # all of it before anything is launched, after which a node says nothing
    return wrap(x)


def _nested(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple([_nested(one) for one in x])
    return x and TensorBase.of_node(x)


def write_into(targets: Sequence[TensorBase | Pack], nodes: tuple[Node, ...]) -> None:
    """Put each node's value into its tensor in place; a pack takes as many as it has members, without history."""
    free = not recorder.own.grad_enabled
    others: list[tuple[TensorBase, Value]] = []
    at = 0
    for tensor in targets:
        if isinstance(tensor, Pack):
            count = len(tensor.members)
            tensor.write(nodes[at : at + count])
            at += count
            continue
        node = nodes[at]
        at += 1
        if not free or tensor._steps or node.tracked or not tensor._storage.rewrite(node):
            others.append((tensor, Value.pending(node)))
    for tensor, value in others:  # may launch, after which a node says nothing
        tensor._assign(value.read())


def assign(tensor: TensorBase, new: TensorBase) -> None:
    """Put the value of ``new``, of the same type, into ``tensor`` in place."""
    tensor._assign(new._node())


# --- out= and in place -------------------------------------------------------------------------------


def accepts_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds PyTorch's ``out=``: the result is written into that tensor, which is resized if need be."""

    @functools.wraps(function)
    def with_out(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if out is None:
            return result
        if isinstance(result, tuple):
            for one, target in zip(result, out, strict=True):
                write_out(function.__name__, one, target)
            return type(result)(out) if hasattr(result, "n_fields") else tuple(out)
        return write_out(function.__name__, result, out)

    return with_out


def write_out(name: str, result: TensorBase, out: Any) -> Any:
    """Write ``result`` into ``out``, as ``out=`` does.

    Raises:
        RuntimeError: the result's category does not fit ``out``'s dtype, or gradients would be lost.
    """
    if not isinstance(out, TensorBase):
        raise errors.type_(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if recorder.own.grad_enabled and (out.requires_grad or result.requires_grad):
        raise errors.runtime(
            f"{name}(): a result written into out= has no history, but an operand requires grad",
            hint="use the returned value instead, or wrap the call in torch.no_grad()",
        )
    check_castable(result.dtype, out.dtype)
    if out._shape != result._shape:
        out.resize_(result._shape)
    return out._assign(as_dtype(result._node(), out.dtype))


def check_castable(kind: dtype, wanted: dtype) -> None:
    if not dtypes.can_cast(kind, wanted):
        raise errors.runtime(
            f"a {kind.name} result cannot be stored in a {wanted.name} tensor",
            hint="convert the other operand, or use the function that makes a new tensor",
        )


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """The method that puts ``function``'s result in the place of its first argument."""
    name = f"{function.__name__}_"

    def method(self: TensorBase, *args: Any, **kwargs: Any) -> Any:
        self._check_writable()
        result = function(self, *args, **kwargs)
        if result._type is self._type:
            return self._assign(result._node())
        if result._shape != self._shape:
            raise errors.runtime(
                f"{name}: a tensor of shape {list(self._shape)} cannot hold a result of shape {list(result._shape)}",
                hint="an in-place operation cannot grow its tensor",
            )
        if result.dtype is not self.dtype:
            check_castable(result.dtype, self.dtype)
            result = apply(_to_dtype, (result,), (self.dtype,))
        return self._assign(result._node())

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In place: {function.__doc__ or function.__name__}"
    return method


def _to_dtype(x: Node, kind: dtype) -> Node:
    return cast(x, dtype=kind)


_to_dtype.label = "ToCopyBackward0"  # pyright: ignore[reportFunctionMemberAccess]
