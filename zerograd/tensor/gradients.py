"""What a tensor has to do with gradients: ``requires_grad``, ``grad``, ``backward``, ``detach``, hooks."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from zerograd import errors
from zerograd.ir.record import Value, grad_mode, recorder
from zerograd.ir.trace import Point
from zerograd.runtime import realize
from zerograd.runtime.structure import structure
from zerograd.tape import backward as tape
from zerograd.tape.again import run_again
from zerograd.tensor.base import TensorBase
from zerograd.tensor.grad_fn import GradFn, grad_fn_at
from zerograd.tensor.leaf import Arrived, GradLeaf

_hook_numbers = iter(range(1 << 62))


class RemovableHandle:
    """Removes a hook again: ``handle.remove()``, or leave its ``with`` block."""

    def __init__(
        self, hooks_dict: dict[int, Any], hook: Any = None, *, extra_dict: Sequence[dict[int, Any]] = ()
    ) -> None:
        structure.changes += 1
        self.tables = (hooks_dict, *([extra_dict] if isinstance(extra_dict, dict) else extra_dict))
        self.id = next(_hook_numbers)
        while self.id in hooks_dict:  # unpickled tables bring numbers of another process
            self.id = next(_hook_numbers)
        if hook is not None:
            hooks_dict[self.id] = hook

    def remove(self) -> None:
        """Take the hook, and what ``extra_dict`` knows of it, out of the tables."""
        structure.changes += 1
        for table in self.tables:
            table.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class GradientMethods(TensorBase):
    """The part of Tensor that is about gradients."""

    # --- leaves ----------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self._tracked()

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Make this leaf collect gradients in ``.grad``, or stop it.

        Raises:
            RuntimeError: the dtype has no gradients, or the tensor is no leaf.
        """
        if requires_grad and not self.dtype.is_inexact:
            raise errors.runtime("only floating point and complex tensors can have gradients", tensor=self._type)
        if not self.is_leaf:
            if requires_grad:
                return self
            raise errors.runtime(
                "requires_grad can be switched off for leaves only; this tensor was computed from others",
                hint="use .detach() for a tensor of the same value without history",
            )
        if bool(requires_grad) is not (self._leaf is not None) and (
            self._leaf is not None or self._resting_leaf is not None or id(self._storage) in structure.met
        ):
            structure.changes += 1
        if requires_grad and self._leaf is None:
            self._leaf = self._resting_leaf or GradLeaf(self)
            self._storage.has_leaf = True
            self._plain = False
            self._cache = None
        elif not requires_grad and self._leaf is not None:
            self._live_alone()
            self._resting_leaf, self._leaf = self._leaf, None
            self._detached = True
            self._cache = None
        return self

    @property
    def grad(self) -> Any:
        """The gradient accumulated by ``backward()``, or ``None``."""
        grad = self._grad
        if grad.__class__ is Arrived:
            return self._settled_grad()
        if grad is None and self._leaf is None and not self._retained and self.requires_grad:
            import warnings

            warnings.warn(
                "backward() fills .grad of leaves only, and this tensor is not a leaf Tensor: call .retain_grad() on it"
                " before backward(), or read the .grad of the leaf you mean",
                UserWarning,
                stacklevel=2,
            )
        return grad

    def _settled_grad(self) -> Any:
        """The gradient as a tensor, if it has just arrived."""
        leaf = self._leaf or self._resting_leaf
        if isinstance(self._grad, Arrived) and leaf is not None:
            self._grad = self._grad.tensor_of(leaf)
        return self._grad

    @grad.setter
    def grad(self, new: Any) -> None:
        if new is None:
            self._grad = None
            return
        if not isinstance(new, TensorBase):
            raise errors.type_(f".grad can hold a Tensor or None, not {type(new).__name__}")
        if new is self:
            raise errors.runtime("a tensor cannot be its own gradient")
        if new._shape != self._shape:
            raise errors.runtime(".grad must have the shape of its tensor", tensor=self._type, grad=new._type)
        if new.dtype is not self.dtype:
            raise errors.runtime(".grad must have the dtype of its tensor", tensor=self._type, grad=new._type)
        self._grad = new

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    # --- backward --------------------------------------------------------------------------------

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradients of this tensor to ``.grad`` of every leaf it depends on.

        Args:
            gradient: of the final quantity with respect to this tensor; may be omitted for a scalar.
            retain_graph: keep what the graph holds, for another backward pass; default: ``create_graph``.
            create_graph: record the backward pass itself, for gradients of gradients.
            inputs: accumulate into these tensors only.
        Raises:
            RuntimeError: not a scalar and no ``gradient``; no history; a graph freed already.
        Source: torch.Tensor.backward.
        """
        backward((self,), None if gradient is None else (gradient,), retain_graph, create_graph, inputs)

    # --- history ---------------------------------------------------------------------------------

    @property
    def grad_fn(self) -> GradFn | None:
        """The call that made this tensor, or ``None`` for a leaf."""
        if self.is_leaf:
            return None
        return grad_fn_at(self._history())

    def detach(self) -> Any:
        """The same data without the history; changes in place are seen on both sides."""
        return self._alias()

    def detach_(self) -> Self:
        """Forget the history of this tensor.

        Raises:
            RuntimeError: it is a view, whose base would keep its history.
        """
        if self._base is not None:
            raise errors.runtime(
                "a view keeps the history of its base and cannot forget it in place: use detach()", view=self._type
            )
        structure.changes += 1
        self._live_alone()
        self._settled_grad()
        self._leaf = self._own = None
        self._detached = True
        self._plain = False
        self._cache = None
        return self

    @property
    def data(self) -> Any:
        """The same data without the history. Assigning replaces the data and keeps the leaf."""
        return self._alias()

    @data.setter
    def data(self, new: Any) -> None:
        if not isinstance(new, TensorBase):
            raise errors.type_(f".data can be set to a Tensor only, not {type(new).__name__}")
        self._move_to(new._storage)
        self._base, self._steps, self._layout = new._base, new._steps, new._layout
        self._view_type = new._view_type
        self._detached = True
        self._plain = False
        self._own = None

    # --- hooks -----------------------------------------------------------------------------------

    def register_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Call ``hook(grad)`` when this tensor's gradient is known; what it returns replaces the gradient.

        Raises:
            RuntimeError: the tensor does not require gradients.
        """
        point = self._history()
        if point is None:
            raise errors.runtime(
                "no gradient ever arrives at this tensor, so a hook would never run: it does not require grad",
                tensor=self._type,
            )

        def on_value(grad: Value) -> Value | None:
            replaced = hook(TensorBase.of_value(grad))
            return None if replaced is None else held(replaced, grad.type)

        if self._leaf is not None:
            return RemovableHandle(self._leaf.hooks, on_value)
        return RemovableHandle(_Hooks(point), on_value)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Any], None]) -> RemovableHandle:
        """Call ``hook(tensor)`` after a gradient has been added to this leaf's ``.grad``."""
        if self._leaf is None:
            raise errors.runtime(
                "only leaves accumulate gradients: this tensor is none, or requires no grad",
                tensor=self._type,
            )
        return RemovableHandle(self._leaf.post_hooks, hook)

    def retain_grad(self) -> None:
        """Have ``backward()`` keep this tensor's gradient in ``.grad`` although it is not a leaf."""
        if not self.requires_grad:
            raise errors.runtime(
                "there is no gradient to retain: this tensor has requires_grad=False", tensor=self._type
            )
        if not self.is_leaf:
            self._retained = True
            _retaining[id(self)] = self

    @property
    def retains_grad(self) -> bool:
        """Whether this tensor, not a leaf, keeps its gradient."""
        return self._retained and not self.is_leaf


class _Hooks(dict[int, Any]):
    """The hooks of a point, which exist in its trace only as long as there are any."""

    def __init__(self, point: Point) -> None:
        self.point = point

    def __setitem__(self, number: int, hook: Any) -> None:
        super().__setitem__(number, hook)
        self.point.trace.hooks.setdefault(self.point.node, []).append(hook)

    def pop(self, number: int, default: Any = None) -> Any:
        hook = super().pop(number, None)
        hooks = self.point.trace.hooks.get(self.point.node, [])
        if hook in hooks:
            hooks.remove(hook)
            if not hooks:
                del self.point.trace.hooks[self.point.node]
        return hook


def clear_gradients(tensors: Iterable[Any], set_to_none: bool) -> None:
    """End the life of the tensors' gradients: ``None``, or zeros in the same tensors.

    A step that an optimizer has finished ends here too; gradients that became ``None`` are never written to memory.
    """
    if set_to_none:
        watch = recorder.own.trace.watch
        if watch is not None:
            tensors = list(tensors)
            watch.clears(tensors)
        for tensor in tensors:
            tensor._grad = None
    else:
        for grad in [tensor.grad for tensor in tensors if tensor._grad is not None]:
            if grad.grad_fn is not None:
                grad.detach_()
            else:
                grad.requires_grad_(False)
            grad.zero_()
    realize.gradients_cleared()


_retaining: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # by id: == compares elements


def watchers() -> tape.Watchers | None:
    """Who keeps its gradient although it is no leaf, by where it stands in its history now."""
    if not _retaining:
        return None
    found: tape.Watchers = {}
    for tensor in list(_retaining.values()):
        last = tensor._point  # of a view: where it was looked at last; what its base has become since is another value
        point = tensor._history() if last is None or tensor._detached else last[1]
        if point is not None and not tensor.is_leaf:
            found[point] = functools.partial(_keep, tensor)
    return found


def _keep(tensor: Any, grad: Value) -> None:
    new = TensorBase.of_value(grad)
    tensor._grad = new if tensor._grad is None else tensor._grad + new


def held(tensor: Any, type: Any) -> Value:
    """A tensor's value as the tape holds it."""
    if not isinstance(tensor, TensorBase):
        raise errors.type_(f"a hook must return a Tensor or None, not {tensor.__class__.__name__}")
    node = tensor._node()
    if node.type is not type:
        raise errors.runtime("a hook returned a gradient of another shape or dtype", expected=type, got=node.type)
    return Value.pending(node)


def backward(
    tensors: Sequence[Any],
    gradients: Sequence[Any] | None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of the sum of ``tensors`` to the leaves, or to ``inputs`` only."""
    retain = create_graph if retain_graph is None else retain_graph
    realize.begin_backward()
    if gradients is None and inputs is None and not (retain or create_graph or _retaining) and len(tensors) == 1:
        (tensor,) = tensors
        if tensor._serial and tensor._serial == recorder.own.trace.serial and run_again(tensor._at):
            realize.end_backward()
            return
    roots, seeds = roots_and_seeds(tensors, gradients)
    if inputs is None:
        tape.run(roots, seeds, retain_graph=retain, create_graph=create_graph, watchers=watchers())
        realize.end_backward()
        return
    inputs = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    if not inputs:
        raise errors.runtime("backward(inputs=...) needs at least one tensor, or None for all leaves")
    targets = [target_of(tensor) for tensor in inputs]
    found = tape.run(roots, seeds, retain_graph=retain, create_graph=create_graph, targets=targets, watchers=watchers())
    with grad_mode(create_graph):
        for tensor, target in zip(inputs, targets, strict=True):
            grad = found.pop(target, None)
            if grad is None:
                continue
            if isinstance(target, GradLeaf):
                target.accept(grad, create_graph)
            elif not tensor.retains_grad:
                _keep(tensor, grad)
    realize.end_backward()


def target_of(tensor: Any) -> tape.Target:
    """Where the gradient of ``tensor`` is asked for.

    Raises:
        RuntimeError: it does not require gradients.
    """
    if not isinstance(tensor, TensorBase):
        raise errors.type_(f"expected a Tensor, got {type(tensor).__name__}")
    if tensor._leaf is not None:
        return tensor._leaf
    point = tensor._history()
    if point is None:
        raise errors.runtime("asked for the gradient of a tensor that needs none", tensor=tensor._type)
    return point


def leaves_behind(tensors: Iterable[Any]) -> list[Any]:
    """The leaf tensors that backward passes from ``tensors`` would reach, each once; other values are skipped."""
    points = [one._history() for one in tensors if isinstance(one, TensorBase) and one.requires_grad]
    leaves = tape.leaves_above([point for point in points if point is not None])
    found = [leaf.tensor() for leaf in leaves if isinstance(leaf, GradLeaf)]
    return [one for one in found if one is not None]


def roots_and_seeds(tensors: Sequence[Any], gradients: Sequence[Any] | None) -> tuple[list[Point], list[Value]]:
    """Where a backward pass begins, and with what.

    Raises:
        RuntimeError: a tensor without history, a missing gradient for a tensor that is not a scalar, or one of
            another shape.
    """
    if gradients is None:
        gradients = [None] * len(tensors)
    if len(gradients) != len(tensors):
        raise errors.runtime(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    roots, seeds = [], []
    for i, (tensor, gradient) in enumerate(zip(tensors, gradients, strict=True)):
        point = tensor._history()
        if point is None:
            raise errors.runtime(
                f"nothing to differentiate: tensor {i} has no history, and needs no gradient itself",
                tensor=tensor._type,
                hint="no tensor it was computed from requires gradients; was it computed under no_grad(), detached,"
                " or made from .item() or .numpy()?",
            )
        seeds.append(_seed(tensor, gradient))
        roots.append(point if gradient is None else tensor._history())  # reading the gradient may have launched
    return roots, seeds


def _seed(tensor: Any, gradient: Any) -> Value:
    if gradient is None:
        kind = tensor._type
        if kind.count != 1:
            raise errors.runtime(
                "backward() of a tensor with several elements needs the gradient argument; only scalars do without",
                output=tensor._type,
                hint="reduce it first, e.g. loss.mean() or loss.sum(), or pass backward(gradient=...)",
            )
        if not kind.dtype.is_floating_point:
            raise errors.runtime(f"backward() without a gradient argument needs a real scalar, got {kind.dtype}")
        return tape.ones(kind)
    if not isinstance(gradient, TensorBase):
        raise errors.type_(f"a gradient must be a Tensor or None, not {type(gradient).__name__}")
    if gradient._shape != tensor._shape:
        raise errors.runtime(
            f"the gradient argument has shape {list(gradient._shape)}, but the output {list(tensor._shape)}"
        )
    node = gradient._node()
    if node.dtype is not tensor.dtype:
        from zerograd.ops.elementwise import cast

        node = cast(node, dtype=tensor.dtype)
    return Value.pending(node)
