"""The part of Tensor that everything else stands on: its value, its views, its history, changes in place.

Functions are built over ``TensorBase`` through the door (``tensor/door.py``); ``tensor/tensor.py`` puts both together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from zerograd import errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Array, Node, TensorType
from zerograd.ir.layout import unless_contiguous
from zerograd.ir.record import Edge, Recorder, Value, bind, call, grad_mode, laid, local, new_variable, recorder, traces
from zerograd.ir.trace import Point, Trace
from zerograd.ops.elementwise import stop
from zerograd.ops.movement import overwrite
from zerograd.runtime.realize import array_of, launch, lock
from zerograd.runtime.structure import structure
from zerograd.shapes import Shape, contiguous_strides, is_contiguous
from zerograd.tensor.graft import grafted, origin
from zerograd.tensor.pack import Member
from zerograd.tensor.storage import Storage
from zerograd.tensor.view import (
    Layout,
    Step,
    View,
    check_overlap,
    given,
    known_views,
    read_view,
    remember_views,
    write_views,
)

if TYPE_CHECKING:
    from zerograd.tensor.leaf import GradLeaf


class _StorageOnDemand:
    """``tensor._storage`` of a new tensor: made when somebody asks for it, and an ordinary attribute from then on."""

    def __get__(self, tensor: TensorBase | None, kind: type[Any]) -> Any:
        if tensor is None:
            return self
        with lock:
            serial = tensor._serial
            if serial:
                tensor._serial = 0
                tensor._storage = made = Storage()
                made.node, made.serial = tensor._at, serial
                traces[serial].pending.append(made)
        return tensor._storage  # by a launch of another thread, if not by this


class TensorBase:
    """A window onto a storage; when new, a node of the trace numbered ``_serial``, and no more.

    Attributes (private to the tensor layer):
        _at, _serial: what it is in the trace numbered ``_serial``: of a new tensor until it has a storage (``Result``),
            of a parameter whose pack has entered that trace (``Pack``); 0 for any other.
        _storage: what aliasing tensors share.
        _base: the tensor whose whole storage it is, if this one is a view of it.
        _steps: the chain of views from ``_base`` to this tensor.
        _layout: shape, strides and offset; ``None``: the whole storage, contiguous.
        _type: shape and dtype.
        _detached: the history of the storage is not this tensor's.
        _own: (storage version, value) of a detached tensor that has got a history by a change in place.
        _leaf: where gradients of this leaf go; ``None`` if it needs none.
        _resting_leaf: where they went before ``requires_grad`` was switched off.
        _plain: none of the above: the node is the storage's.
        _cache: (trace serial, storage version, node) of a tensor that is not plain.
        _point: where a view was recorded, kept when its trace is launched.
    """

    _storage: Storage = _StorageOnDemand()  # pyright: ignore[reportAssignmentType]
    _at: Node
    _serial = 0
    _base: TensorBase | None = None
    _steps: tuple[View, ...] = ()
    _layout: Layout | None = None
    _view_type: TensorType | None = None
    _detached = False
    _own: tuple[int, Value] | None = None
    _leaf: GradLeaf | None = None
    _resting_leaf: GradLeaf | None = None
    _plain = True
    _cache: tuple[int, int, Node] | None = None
    _point: tuple[int, Point] | None = None
    _grad: Any = None
    _retained = False

    result_class: type[Any]

    if TYPE_CHECKING:  # attached from the tables in ``functions``
        # fmt: off
        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __rfloordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __rmod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __rmatmul__(self, other: Any) -> Any: ...
        def __and__(self, other: Any) -> Any: ...
        def __rand__(self, other: Any) -> Any: ...
        def __or__(self, other: Any) -> Any: ...
        def __ror__(self, other: Any) -> Any: ...
        def __xor__(self, other: Any) -> Any: ...
        def __rxor__(self, other: Any) -> Any: ...
        def __lshift__(self, other: Any) -> Any: ...
        def __rlshift__(self, other: Any) -> Any: ...
        def __rshift__(self, other: Any) -> Any: ...
        def __rrshift__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def __iadd__(self, other: Any) -> Any: ...
        def __isub__(self, other: Any) -> Any: ...
        def __imul__(self, other: Any) -> Any: ...
        def __itruediv__(self, other: Any) -> Any: ...
        def __ifloordiv__(self, other: Any) -> Any: ...
        def __imod__(self, other: Any) -> Any: ...
        def __ipow__(self, other: Any) -> Any: ...
        def __iand__(self, other: Any) -> Any: ...
        def __ior__(self, other: Any) -> Any: ...
        def __ixor__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __pos__(self) -> Any: ...
        def __iter__(self) -> Any: ...
        # fmt: on

    # --- making --------------------------------------------------------------------------------

    @classmethod
    def of_storage(cls, storage: Storage) -> Any:
        self = object.__new__(TensorBase.result_class)
        self._storage = storage
        return self

    @classmethod
    def of_node(cls, node: Node, trace: Trace | None = None) -> Any:
        """A new tensor with the value that ``node`` has in a trace, by default the current one."""
        self = object.__new__(TensorBase.result_class)
        trace = trace or recorder.own.trace
        self._at = node
        self._serial = trace.serial
        trace.results.append(self)
        return self

    @classmethod
    def of_computed(cls, node: Node, serial: int, array: Array) -> Any:
        """A new tensor with the value that ``node`` had in a trace that has been computed, without history."""
        self = object.__new__(TensorBase.result_class)
        self._at, self._serial = node, serial
        self._computed(array, None)
        return self

    def _anchor(self) -> None:
        """Have a storage, if this is a new tensor that has none yet."""
        _ = self._storage

    def _computed(self, array: Array, history: Point | None) -> None:
        storage = Storage()
        storage.node, storage.serial = self._at, self._serial
        storage.buffer, storage.history = array, history
        self._storage = storage
        self._serial = 0

    @classmethod
    def of_value(cls, value: Value) -> Any:
        """A new tensor over a value held by the tape, with its history."""
        if value.buffer is None:
            return cls.of_node(value.read())
        storage = Storage.of_array(value.buffer, value.type)
        storage.history = value.history
        return cls.of_storage(storage)

    @classmethod
    def of_array(cls, array: Array, type: TensorType) -> Any:
        """A new tensor that owns ``array``, which must not be written to afterwards."""
        return cls.of_storage(Storage.of_array(array, type))

    # --- what it is ----------------------------------------------------------------------------

    @property
    def _type(self) -> TensorType:
        return self._at.type if self._serial else self._view_type or self._storage.type

    @property
    def dtype(self) -> dtype:
        return (self._at.type if self._serial else self._view_type or self._storage.type).dtype

    @property
    def _shape(self) -> Shape:
        return (self._at.type if self._serial else self._view_type or self._storage.type).shape

    def _laid_out(self) -> Layout:
        if self._layout is not None:
            return self._layout
        storage = self._storage
        shape = storage.type.shape
        return Layout(shape, storage.strides or contiguous_strides(shape))

    @property
    def _version(self) -> int:
        """How often the storage has been changed in place."""
        return self._storage.version

    # --- its value in the current trace ----------------------------------------------------------

    def _node(self) -> Node:
        """What this tensor is in the current trace."""
        try:
            own = local.own
        except AttributeError:
            own = recorder.own
        trace = own.trace
        serial = trace.serial
        if self._serial == serial:
            return self._at
        storage = self._storage
        if self._plain:
            return storage.node if storage.serial == serial else storage.read()
        leaf = self._leaf
        if leaf is not None and not self._steps:
            if isinstance(storage, Member) and storage.pack.serial != serial:
                storage.pack.read()
                if self._serial == serial:
                    return self._at
            return self._leaf_node(own, leaf, storage)
        cache = self._cache
        if cache is not None and cache[0] == serial and cache[1] == storage.version and storage.shared is None:
            return cache[2]
        node = self._special_node()
        self._cache = (serial, storage.version, node)
        return node

    @staticmethod
    def _leaf_node(own: Recorder, leaf: GradLeaf, storage: Storage) -> Node:
        """The variable of a whole leaf; quick where the last step did the same."""
        trace = own.trace
        serial = trace.serial
        if storage.serial == serial:
            if leaf.serial == serial and leaf.version == storage.version and storage.shared is None:
                return leaf.node
            if not own.grad_enabled and storage.buffer is None and storage.shared is None:
                return storage.node  # changed in place here: no gradient will be asked for what it is in between
        elif (
            storage.bound_at == len(trace.leaves)
            and leaf.bound is storage.bound
            and leaf.index == len(trace.sources)
            and storage.buffer is not None
            and storage.shared is None
            and storage.history is None
            and not own.depth
        ):
            if trace.watch is not None:
                trace.watch.enters(storage, len(trace.leaves))
            trace.leaves.append(storage.buffer)
            storage.node = storage.bound
            storage.serial = leaf.serial = serial
            leaf.version = storage.version
            trace.sources[leaf.node] = leaf
            return leaf.node
        leaf.index = len(trace.sources)
        leaf.bound = bound = storage.read()
        leaf.node = node = new_variable(bound, leaf)
        leaf.serial = serial
        leaf.version = storage.version
        return node

    def _move_to(self, storage: Storage) -> None:
        """Look at another storage; what it shows of it is for the caller to say."""
        structure.changes += 1
        self._live_alone()
        self._storage = storage
        self._look_anew()

    def _live_alone(self) -> None:
        """Have a storage that is no member of a pack, which relies on its tensors."""
        if isinstance(self._storage, Member):
            self._storage.pack.dissolve()

    def _look_anew(self) -> None:
        """Forget what this tensor was: it looks at something else now."""
        self._cache = self._point = None
        if self._leaf is not None:
            self._leaf.serial = 0

    def _special_node(self) -> Node:
        storage = self._storage
        if self._own is not None:
            version, value = self._own
            kept = value.read()
            if version == storage.version:
                return kept
            return grafted(self._read_views(storage.read(), self._steps), kept)
        if not self._steps:
            node = storage.read()
            return stop(node) if self._detached and node.tracked else node
        if storage.buffer is not None and storage.history is None:
            node = self._part_of_data()
            if node is not None:
                return node if self._leaf is None else new_variable(node, self._leaf)
        point = self._point
        if point is not None and point[0] == storage.version and point[1].trace is not recorder.own.trace:
            with grad_mode(False):
                node = stop(self._read_views(*self._whole()))
            return new_variable(node, Edge(point[1]))
        node = self._read_views(*self._whole())
        if self._detached and node.tracked:
            node = stop(node)
        elif node.tracked and not recorder.own.depth:
            self._point = (storage.version, Point(recorder.own.trace, node))
        return node if self._leaf is None else new_variable(node, self._leaf)

    def _part_of_data(self) -> Node | None:
        """A slice of computed data without history, as data: where it lies is then no part of the structure.

        So a loop over ``data[i : i + 64]`` does the same thing again and again.
        """
        storage = self._storage
        base = self if self._base is None else self._base
        if base._leaf is not None or base._own is not None or recorder.own.depth:
            return None
        views = self._steps
        count = next((i for i in range(len(views), 0, -1) if views[i - 1].moves), 0)
        if not count:
            return None
        array: Any = storage.buffer
        for view in views[:count]:
            array = view.look(array)
        if storage.shared is not None:
            array = storage.unchanging(array)
        last = views[count - 1]
        trace = recorder.own.trace
        if trace.watch is not None:
            trace.watch.enters(storage, len(trace.leaves), views[:count])
        leaf = bind(array, last.type)
        return self._read_views(laid(leaf, unless_contiguous(last.layout.shape, last.layout.strides)), views[count:])

    def _whole(self) -> tuple[Node, tuple[View, ...]]:
        """What this view is taken from, with the history that its base has, and the steps from there."""
        base = self._base
        if base is None:
            base = self
        elif base._storage is self._storage:
            count = len(base._steps)
            if not count:
                return base._node(), self._steps
            if (base._own is not None or base._leaf is not None) and self._steps[:count] == base._steps:
                return base._node(), self._steps[count:]
        node = self._storage.read()
        return (stop(node) if base._detached and node.tracked else node), self._steps

    @staticmethod
    def _read_views(node: Node, views: tuple[View, ...]) -> Node:
        for view in views:
            node = call(read_view, (node,), (view,))
        return node

    def _history(self) -> Point | None:  # noqa: PLR0911  one for each kind of tensor
        """Where gradients enter this tensor's history, or ``None`` if it has none (a leaf has itself)."""
        if self._serial and self._serial == recorder.own.trace.serial:
            return Point(recorder.own.trace, self._at) if self._at.tracked else None
        if self._leaf is not None:
            return Point(recorder.own.trace, self._node())
        if self._own is not None:
            return self._own[1].point()
        if not self._steps and not self._detached:
            return origin(self._storage.point())
        if self._detached or not self.requires_grad:
            return None
        point = self._point
        if point is not None and point[0] == self._storage.version:
            return point[1]
        return Point(recorder.own.trace, self._node())

    def _tracked(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        if self._serial:
            return self._at.tracked
        if self._leaf is not None or self._own is not None:
            return True
        if self._detached:
            return False
        if self._base is not None:
            return self._base._tracked() and self.dtype.is_inexact
        storage = self._storage
        return storage.history is not None or (storage.buffer is None and storage.node.tracked)

    @property
    def requires_grad(self) -> bool:
        return self._tracked()

    @property
    def is_leaf(self) -> bool:
        return self._leaf is not None or not self.requires_grad

    def _array(self) -> Array:
        """The computed value; nobody may write to it."""
        storage = self._storage
        if storage.shared is not None and not storage.shared.is_shared():
            storage.shared = None
        array = array_of(storage)
        for view in self._steps:
            array = view.look(array)
        return array

    # --- views and changes -----------------------------------------------------------------------

    def _look(self, make: Callable[..., Step | Sequence[Step]], *args: Any) -> Any:
        """The view at the end of the steps that ``make(self, *args)`` gives.

        Remembered: ``make`` must depend on this tensor's type and layout and on its hashable arguments only.
        """
        seen = self
        for view in self._made(make, args):
            seen = seen._show(view)
        return seen

    def _look_at_parts(self, make: Callable[..., Sequence[Step]], *args: Any) -> tuple[Any, ...]:
        """A view for each step that ``make(self, *args)`` gives. Remembered, as ``_look`` is."""
        return tuple([self._show(view) for view in self._made(make, args, parts=True)])

    def _made(self, make: Callable[..., Any], args: tuple[Any, ...], parts: bool = False) -> list[View]:
        storage = self._storage
        key = (make, self._view_type or storage.type, self._layout or storage.strides, args)
        found = known_views.get(key)
        if found is None:
            layout, kind = self._laid_out(), self.dtype
            steps = make(self, *args)
            found = []
            for step in steps if isinstance(steps, list | tuple) else (steps,):
                view = View(step, layout, kind)
                found.append(view)
                if not parts:
                    layout, kind = view.layout, view.type.dtype
            remember_views(key, found)
        return found

    def _see(self, step: Step) -> Any:
        """A view of this tensor."""
        return self._look(given, step)

    def _show(self, view: View) -> Any:
        seen = object.__new__(TensorBase.result_class)
        seen._storage = storage = self._storage
        base = self._base
        seen._base = self if base is None or self._leaf is not None else base
        seen._steps = (*self._steps, view)
        seen._layout = view.layout
        seen._view_type = view.type
        seen._plain = False
        if self._tracked():
            own = recorder.own
            if not own.grad_enabled or not view.type.dtype.is_inexact:
                seen._detached = True
            else:  # from this tensor's own node, so that gradients pass through it
                node = call(read_view, (self._node(),), (view,))
                seen._cache = (own.trace.serial, storage.version, node)
                if not own.depth:
                    seen._point = (storage.version, Point(own.trace, node))
        elif base is not None and self._detached:
            seen._detached = True
        return seen

    def _alias(self) -> Any:
        """The same window onto the same storage, without history."""
        other = object.__new__(TensorBase.result_class)
        other._storage = self._storage
        other._steps = self._steps
        other._layout = self._layout
        other._view_type = self._view_type
        other._detached = True
        other._plain = False
        return other

    def _assign(self, node: Node) -> Self:
        """Change the value in place to ``node``, of this tensor's type.

        Raises:
            RuntimeError: a leaf that requires gradients, or a view of one, is changed with gradients on.
        """
        own = recorder.own
        storage = self._storage
        simple = self._plain or not (own.grad_enabled or self._steps)
        if node.tracked or not simple or self._layout is not None or not storage.rewrite(node):
            self._assign_anyhow(node)
        if storage.has_leaf:  # a parameter updated by hand: a step, as an optimizer's would be
            own.trace.finished_step = True
        if len(own.trace.pending) > own.trace.limit and not own.depth:
            launch()
        return self

    def _assign_anyhow(self, node: Node) -> None:
        """The same, whatever this tensor and its history are."""
        self._check_writable()
        if self._layout is not None and 0 in self._layout.strides:
            check_overlap(self._layout)
        base = self if self._base is None else self._base
        storage = self._storage
        if not recorder.own.grad_enabled or (self._detached and base is not self):
            self._put(node)
        elif base._detached and base._leaf is None:
            if node.tracked or base._own is not None:
                self._put_with_history(base, node)
            else:
                self._put(node)
        else:
            if self._steps:
                whole, _ = self._whole()
                node = call(write_views, (whole, node), (self._steps,))
                self._point = None
            if not node.tracked and base.requires_grad:
                node = call(_overwrite, (self._whole()[0], node))  # it still requires gradients
            storage.replace(node)

    def _put(self, node: Node) -> None:
        """Change the value, and leave the history of the storage as it is."""
        storage = self._storage
        node = stop(node) if node.tracked else node
        history = storage.point()
        if self._steps:
            node = call(write_views, (storage.read(), node), (self._steps,))
        if history is not None:
            node = grafted(node, storage.read())
        storage.replace(node)

    def _put_with_history(self, base: TensorBase, node: Node) -> None:
        """Change the value through ``base``, which was detached, and which gets a history of its own."""
        rest = self._steps[len(base._steps) :] if self is not base else ()
        if rest:
            node = call(write_views, (base._node(), node), (rest,))
        elif not node.tracked:
            node = call(_overwrite, (base._node(), node))
        value = Value.pending(node)
        base._put(node)
        base._own = (base._storage.version, value)
        base._cache = self._cache = None

    def _check_writable(self) -> None:
        if not recorder.own.grad_enabled:
            return
        if self._leaf is not None:
            raise errors.runtime(
                "an in-place operation on a leaf that requires grad: backward() could not see the change",
                tensor=self._type,
                hint="change it inside `with torch.no_grad():`, or write `x = x + ...` to make a new tensor",
            )
        if self._base is not None and self._base._leaf is not None and not self._detached:
            raise errors.runtime(
                "an in-place operation on a view of a leaf that requires grad: backward() could not see the change",
                view=self._type,
                leaf=self._base._type,
                hint="change it inside `with torch.no_grad():`, or clone the leaf first",
            )

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each dimension (or along ``dim``), in elements."""
        strides = self._laid_out().strides
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """The place of the first element in the storage, in elements."""
        return self._laid_out().offset

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in row-major order without gaps."""
        if self._layout is None and self._storage.strides is None:
            return True
        layout = self._laid_out()
        return is_contiguous(layout.shape, layout.strides)


def _overwrite(x: Node, new: Node) -> Node:
    return overwrite(x, new)


_overwrite.label = "CopyBackwards"  # pyright: ignore[reportFunctionMemberAccess]
