"""Custom functions: ``torch.autograd.Function``.

The forward pass runs without gradients. Each differentiable result is then declared a *variable* of the trace, with
the call behind it as its source: a backward pass that arrives there runs the user's ``backward``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from zerograd import errors
from zerograd.ir.record import Value, grad_mode, new_variable, recorder, user_line
from zerograd.ir.trace import Point
from zerograd.tape.backward import FunctionOutput
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import wrap
from zerograd.tensor.grad_fn import GradFn, grad_fn_at
from zerograd.tensor.storage import Storage


class FunctionCtx:
    """What a forward pass hands to its backward pass; any attribute may be set.

    Attributes:
        needs_input_grad: for each argument of the forward pass, whether its gradient is wanted.
    """

    needs_input_grad: tuple[bool, ...] = ()

    def __init__(self) -> None:
        self.to_save: tuple[Any, ...] = ()
        self._saved: tuple[Any, ...] | None = ()
        self._non_differentiable: set[int] = set()
        self._dirty: tuple[Any, ...] = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep these tensors (or ``None``) as they are now, for ``saved_tensors``."""
        for one in tensors:
            if one is not None and not isinstance(one, TensorBase):
                raise errors.type_(
                    f"save_for_backward keeps tensors only, got {type(one).__name__}",
                    hint="store it as an attribute instead: ctx.name = value",
                )
        self.to_save = tensors

    save_for_forward = save_for_backward

    def mark_dirty(self, *tensors: Any) -> None:
        """These inputs are changed in place by the forward pass."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """These outputs have no gradient."""
        self._non_differentiable = {id(one) for one in tensors}
        self._kept = tensors  # so that the numbers stay theirs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros (the default) or ``None`` for outputs without a gradient."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors given to ``save_for_backward``."""
        if self._saved is None:
            raise errors.runtime(
                "the saved tensors are gone: an earlier backward() has freed them, and this one is the second time",
                hint="pass retain_graph=True to the first backward()",
            )
        return self._saved

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        return self.saved_tensors


def _snapshot(tensor: Any) -> Any:
    """A tensor that keeps the present value and history, whatever is done to the original in place."""
    if tensor is None:
        return None
    if tensor._leaf is not None:
        kept = TensorBase.of_node(tensor._storage.read() if tensor._base is None else tensor._node())
        kept._anchor()
        kept._leaf, kept._plain = tensor._leaf, False
        return kept
    return TensorBase.of_node(tensor._node())


class _Call:
    """One application of a custom function.

    Attributes:
        points: where its differentiable outputs were recorded; the first leads the others.
        inputs: where its differentiable inputs come from, by argument number.
    """

    def __init__(self, function: type[Function], ctx: FunctionCtx, count: int) -> None:
        self.function = function
        self.ctx = ctx
        self.count = count
        self.line = user_line()
        self.inputs: dict[int, Point] = {}
        self.input_types: dict[int, Any] = {}
        self.points: list[Point] = []
        self.places: list[int] = []
        self.output_types: list[Any] = []

    def backward(self, grads: list[Value | None], create_graph: bool, retain: bool) -> list[Value | None]:
        ctx = self.ctx
        given: list[Any] = []
        by_place = dict(zip(self.places, grads, strict=True))
        for place, type in enumerate(self.output_types):
            value = by_place.get(place)
            if value is not None:
                given.append(TensorBase.of_value(value))
            elif ctx._materialize and type is not None:
                given.append(wrap(_zeros(type)))
            else:
                given.append(None)
        if ctx._saved is None and ctx.to_save:
            ctx.saved_tensors  # noqa: B018  raises
        with grad_mode(create_graph):
            returned = self.function.backward(ctx, *given)
        if not retain:
            ctx._saved = None
        return self._checked(returned)

    def _checked(self, returned: Any) -> list[Value | None]:
        name = f"{self.function.__name__}Backward"
        parts = list(returned) if isinstance(returned, tuple) else [returned]
        while len(parts) > self.count and parts[-1] is None:
            parts.pop()
        if len(parts) != self.count:
            raise errors.runtime(
                f"{name} gave {len(parts)} gradients for {self.count} arguments of forward",
                hint="backward must return one gradient (or None) for each argument of forward",
            )
        values: list[Value | None] = []
        for place in self.inputs:
            part, wanted = parts[place], self.input_types[place]
            if part is None:
                values.append(None)
                continue
            if not isinstance(part, TensorBase):
                raise errors.type_(f"{name} must give a Tensor or None for argument {place}, not {type(part).__name__}")
            if part._type is not wanted:
                part = _fitted(part, wanted, name, place)
            values.append(Value.pending(part._node()))
        return values


def _zeros(type: Any) -> Any:
    from zerograd.ops.source import filled

    return filled(0, type)


def _fitted(part: Any, wanted: Any, name: str, place: int) -> Any:
    """A returned gradient summed to the input's shape and converted to its dtype, where that is possible."""
    if part._shape != wanted.shape:
        lead = len(part._shape) - len(wanted.shape)
        grown = [i for i, n in enumerate(part._shape) if i < lead or (wanted.shape[i - lead] == 1 and n != 1)]
        fits = lead >= 0 and all(i in grown or n == wanted.shape[i - lead] for i, n in enumerate(part._shape))
        if not fits:
            raise errors.runtime(
                f"{name}: the gradient of argument {place} has shape {list(part._shape)},"
                f" the argument {list(wanted.shape)}"
            )
        part = part.sum(grown, keepdim=True).reshape(wanted.shape) if grown else part.reshape(wanted.shape)
    return part.to(wanted.dtype) if part.dtype is not wanted.dtype else part


class _Output(FunctionOutput):
    """The source behind one output of a call."""

    def __init__(self, call: _Call, number: int) -> None:
        self._call = call
        self._number = number

    @property
    def call(self) -> _Call:
        return self._call

    def parents(self) -> tuple[Point, ...]:
        return tuple(self._call.inputs.values()) if self._number == 0 else (self._call.points[0],)

    @property
    def grad_fn(self) -> GradFn:
        return _FunctionGradFn(self._call)


class _FunctionGradFn(GradFn):
    """A custom function in a tensor's history."""

    def __init__(self, call: _Call) -> None:
        super().__init__(call.points[0])
        self._call = call

    def name(self) -> str:
        return f"{self._call.function.__name__}Backward"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return tuple((grad_fn_at(point), 0) for point in self._call.inputs.values())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call.ctx, name)  # PyTorch's grad_fn of a custom function is its context


class Function:
    """Base of custom functions: subclass it with static ``forward(ctx, ...)`` and ``backward(ctx, *grads)``.

    Source: torch.autograd.Function.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise errors.runtime(f"a custom function is not instantiated and called: use {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; ``forward(ctx, *args)``, or ``forward(*args)`` with ``setup_context``."""
        raise NotImplementedError("a custom function needs a static method forward(ctx, ...)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save what ``backward`` needs, when ``forward`` takes no ``ctx``."""
        raise NotImplementedError(
            "a custom function whose forward takes no ctx needs a static method setup_context(ctx, inputs, output)"
        )

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradient for each argument of ``forward``, given that of each output."""
        raise NotImplementedError("a custom function needs a static method backward(ctx, *grads) to be differentiated")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run ``forward`` and put this function into the history of what it returns."""
        if "vjp" in vars(cls) and "backward" not in vars(cls):
            cls.backward = cls.vjp  # pyright: ignore[reportAttributeAccessIssue]
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(one, TensorBase) and one.requires_grad for one in args)
        recording = recorder.own.grad_enabled and any(ctx.needs_input_grad)
        call = _Call(cls, ctx, len(args))
        if recording:
            for place, needed in enumerate(ctx.needs_input_grad):
                if needed:
                    call.inputs[place] = args[place]._history()
                    call.input_types[place] = args[place]._type
        with grad_mode(False):
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args)
        several = isinstance(result, tuple)
        outputs = list(result) if several else [result]
        if recording:
            outputs = [_declared(call, place, one, args) for place, one in enumerate(outputs)]
        ctx._saved = tuple(_snapshot(one) for one in ctx.to_save)
        return tuple(outputs) if several else outputs[0]


def _declared(call: _Call, place: int, output: Any, args: tuple[Any, ...]) -> Any:
    """An output of the call, as a tensor with the call in its history."""
    ctx = call.ctx
    differentiable = (
        isinstance(output, TensorBase) and output.dtype.is_inexact and id(output) not in ctx._non_differentiable
    )
    call.output_types.append(output._type if isinstance(output, TensorBase) else None)
    if not differentiable:
        return output
    dirty = any(output is one for one in ctx._dirty)
    if any(output is one for one in args) and not dirty:
        output = output.detach()  # an input returned as it is: another tensor over the same data
    node = output._node() if output._leaf is None else output._storage.read()
    node = new_variable(node, _Output(call, len(call.points)))
    call.points.append(Point(recorder.own.trace, node))
    call.places.append(place)
    if dirty:
        output._check_writable()
        output._storage.replace(node)
        output._detached = False
        output._plain = output._base is None
        return output
    output._move_to(Storage.pending(node))
    output._base, output._steps, output._layout, output._view_type = None, (), None, None
    output._detached, output._leaf, output._plain, output._cache, output._point = False, None, True, None, None
    return output


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a ``backward`` whose result has no derivative: differentiating it again is an error."""

    @functools.wraps(function)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        with grad_mode(False):
            result = function(ctx, *grads)
        if not recorder.own.grad_enabled or not any(isinstance(g, TensorBase) and g.requires_grad for g in grads):
            return result
        parts = result if isinstance(result, tuple) else (result,)
        marked = tuple(_NotTwice.apply(one, *grads) if isinstance(one, TensorBase) else one for one in parts)
        return marked if isinstance(result, tuple) else marked[0]

    return wrapper


class _NotTwice(Function):
    @staticmethod
    def forward(ctx: Any, x: Any, *grads: Any) -> Any:
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise errors.runtime("this backward is marked @once_differentiable: its result cannot be differentiated again")
