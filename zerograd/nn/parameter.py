"""Parameters and buffers: tensors that a module registers when they become its attributes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

from zerograd import errors
from zerograd.tensor.functions.creation import empty
from zerograd.tensor.tensor import Tensor


def _window(kind: type[Any], data: Tensor) -> Any:
    """A tensor of class ``kind`` over the storage of ``data``, without its history."""
    window = object.__new__(kind)
    for name, value in vars(data.detach()).items():  # one by one: an object whose __dict__ was asked for is slower
        setattr(window, name, value)
    return window


class Parameter(Tensor):
    """A leaf that a module trains: assigned to an attribute of a `Module`, it is one of its `parameters()`.

    Args:
        data: the initial value, whose storage is shared; nothing, if None.
        requires_grad: whether it collects gradients; also true under `no_grad()`.
    Source: torch.nn.Parameter.
    """

    _printed_as = "tensor"

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise errors.type_(
                f"a Parameter is made from a tensor, not from a {type(data).__name__}",
                hint="torch.tensor(data) first",
            )
        made = _window(cls, data)
        return made.requires_grad_(True) if requires_grad else made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is None:
            known = memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return known

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        text = super().__repr__(tensor_contents=tensor_contents)
        own = type(self) is Parameter
        return f"Parameter containing:\n{text}" if own else f"Parameter containing:\nParameter({text})"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        # Hooks are not saved; the dictionary stands where PyTorch keeps them.
        return rebuild_parameter, (self.data, self.requires_grad, OrderedDict())


def rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: object = None) -> Parameter:
    """A parameter from what its pickle holds."""
    return Parameter(data, requires_grad)


class Buffer(Tensor):
    """A tensor that a module registers as buffer when it becomes its attribute.

    Args:
        data: the value, whose storage is shared; nothing, if None.
        persistent: whether `state_dict` contains it.
    Source: torch.nn.Buffer.
    """

    persistent: bool
    _printed_as = "tensor"

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = empty(0)
        made = _window(cls, data)
        made.persistent = persistent
        return made.requires_grad_(True) if data.requires_grad else made


_HIDDEN = frozenset(
    {"_node", "_array", "_history", "_shape", "item", "tolist", "numpy", "__array__", "view", "reshape"}
)


class UninitializedTensorMixin:
    """A tensor that has a dtype but no shape yet.

    Its dtype can be changed; everything that needs its elements raises, until `materialize` gives it a shape.
    """

    cls_to_become: ClassVar[Any]

    def materialize(self, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary tensor of this shape, with undefined values."""
        dtype = self.data.dtype if dtype is None else dtype
        data = empty(tuple(shape), device=device, dtype=dtype)
        self.__class__ = self.cls_to_become
        self.data = data

    def __getattribute__(self, name: str) -> Any:
        if name == "shape":
            raise errors.runtime(
                "an uninitialized parameter has no shape",
                hint="call the module with an example input first, or load into a module that is lazy too",
            )
        if name in _HIDDEN:
            raise errors.value(
                f"an uninitialized parameter cannot be used: it has no {name.strip('_')} yet",
                hint="call the module with an example input first",
            )
        return super().__getattribute__(name)

    def _converted(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """This kind of tensor, with the dtype that a method gives to an ordinary one."""
        data = getattr(self.data, method)(*args, **kwargs)
        made: Any = self.__class__
        return made(self.requires_grad, None, data.dtype) if isinstance(data, Tensor) else data

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """The same without a shape, in another dtype."""
        return self._converted("to", *args, **kwargs)

    def type(self, *args: Any, **kwargs: Any) -> Any:
        """The name of the dtype, or the same in another dtype."""
        return self._converted("type", *args, **kwargs)

    def cpu(self) -> Any:
        """Itself: it is on the CPU."""
        return self

    def cuda(self, *args: Any, **kwargs: Any) -> Any:
        """An error: there is no CUDA device."""
        return self._converted("cuda", *args, **kwargs)

    def share_memory_(self) -> Any:
        raise errors.runtime("an uninitialized parameter has no memory to share")

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"<{self.__class__.__name__}>"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return self.__class__, (self.requires_grad, None, self.data.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is None:
            made: Any = self.__class__
            known = memo[id(self)] = made(self.requires_grad, None, self.data.dtype)
        return known


def is_lazy(param: object) -> bool:
    """Whether ``param`` has no shape yet. Source: torch.nn.parameter.is_lazy."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet. Source: torch.nn.UninitializedParameter."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        made = _window(cls, empty(0, device=device, dtype=dtype))
        return made.requires_grad_(True) if requires_grad else made


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is not known yet. Source: torch.nn.UninitializedBuffer."""

    cls_to_become = Tensor
    persistent: bool

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        made = _window(cls, empty(0, device=device, dtype=dtype))
        made.persistent = persistent
        return made.requires_grad_(True) if requires_grad else made
