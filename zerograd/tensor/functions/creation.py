"""Tensors of one value, from sizes or like others."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Node, TensorType
from zerograd.ir.layout import in_order, is_dense
from zerograd.ir.record import laid
from zerograd.ops.elementwise import cast
from zerograd.ops.movement import broadcast_to
from zerograd.ops.source import filled
from zerograd.shapes import Shape, contiguous_strides, is_contiguous
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import NUMBERS, apply, write_out
from zerograd.tensor.functions.arguments import as_dtype_argument, as_tensor_argument, check_options, shape_of
from zerograd.tensor.functions.data import made_of
from zerograd.tensor.orders import strides_in


def _filled(shape: Shape, kind: dtype, value: int) -> Node:
    return filled(value, TensorType(shape, kind))


def _full(value: Node, shape: Shape, kind: dtype) -> Node:
    return broadcast_to(cast(value, dtype=kind), shape)


def constant(shape: Shape, kind: dtype, value: int) -> Any:
    """A tensor of one small integer, which is part of the structure."""
    return apply(_filled, (), (shape, kind, value))


def finished(made: Any, requires_grad: bool, out: Any, name: str) -> Any:
    if out is not None:
        write_out(name, made, out)
        return out
    return made.requires_grad_() if requires_grad else made


def _new(name: str, value: int, kwargs: dict[str, Any], args: tuple[Any, ...]) -> Any:
    if "size" in kwargs:
        args = (kwargs.pop("size"),)
    options = options_of(name, kwargs)
    kind = options.dtype or (options.out.dtype if options.out is not None else dtypes.get_default_dtype())
    made = constant(shape_of(name, args), kind, value)
    return finished(made, options.requires_grad, options.out, name)


class Options:
    """The keyword arguments that all creation functions share."""

    __slots__ = ("dtype", "out", "requires_grad")

    dtype: dtype | None
    out: Any
    requires_grad: bool


_IGNORED = ("pin_memory", "memory_format", "names")


def options_of(name: str, given: dict[str, Any]) -> Options:
    found = Options()
    found.dtype, found.out, found.requires_grad = None, None, False
    for key, value in given.items():
        if key == "dtype":
            found.dtype = as_dtype_argument(value, name)
        elif key == "requires_grad":
            found.requires_grad = value
        elif key == "out":
            found.out = value
        elif key not in ("device", "layout", *_IGNORED):
            raise errors.type_(f"{name}() has no argument '{key}'")
    check_options(given.get("device"), given.get("layout"))
    return found


def zeros(*size: Any, **options: Any) -> Any:
    """Zeros of the given sizes. Source: torch.zeros."""
    return _new("zeros", 0, options, size)


def ones(*size: Any, **options: Any) -> Any:
    """Ones of the given sizes. Source: torch.ones."""
    return _new("ones", 1, options, size)


def empty(*size: Any, **options: Any) -> Any:
    """A tensor whose values do not matter; here they are zeros. Source: torch.empty."""
    return _new("empty", 0, options, size)


def full(size: Any, fill_value: Any, **options: Any) -> Any:
    """``fill_value`` everywhere; its type is that of the number unless ``dtype`` is given. Source: torch.full."""
    found = options_of("full", options)
    kind = found.dtype or (found.out.dtype if found.out is not None else None)
    if not isinstance(size, list | tuple):
        raise errors.type_(f"full: size is a tuple of integers, not {size!r}", hint="torch.full((3,), 0.5)")
    shape = shape_of("full", (size,))
    return finished(_full_of("full", shape, fill_value, kind), found.requires_grad, found.out, "full")


def _full_of(name: str, shape: Shape, value: Any, kind: dtype | None, strides: Shape | None = None) -> Any:
    if isinstance(value, TensorBase):
        if value._shape:
            raise errors.runtime(f"{name}: the fill value must be a number or a 0-d tensor", fill_value=value._type)
        return _spread(value.detach(), shape, kind or value.dtype, strides)
    if not isinstance(value, NUMBERS) and not hasattr(value, "item"):
        raise errors.type_(f"{name}(): argument 'fill_value' must be Number, not {type(value).__name__}")
    value = value if isinstance(value, NUMBERS) else value.item()
    kind = kind or dtypes.of_scalar(value)
    if isinstance(value, complex) and not kind.is_complex:
        raise errors.runtime(f"{name}: {kind.name} does not hold the value", value=value)
    if value.__class__ is not complex and value in (0, 1) and str(value)[0] != "-" and strides is None:
        return constant(shape, kind, int(value))
    return _spread(value, shape, kind, strides)


def _spread(value: Any, shape: Shape, kind: dtype, strides: Shape | None) -> Any:
    if strides is None:
        return apply(_full, (value,), (shape, kind))
    return apply(_full_in_order, (value,), (shape, kind, strides))


def _filled_in_order(shape: Shape, kind: dtype, value: int, strides: Shape) -> Node:
    return laid(filled(value, TensorType(shape, kind)), strides)


def _full_in_order(value: Node, shape: Shape, kind: dtype, strides: Shape) -> Node:
    return laid(_full(value, shape, kind), strides)


def _like(name: str, input: Any, value: Any, options: dict[str, Any]) -> Any:
    as_tensor_argument(name, "input", input)
    found = options_of(name, options) if options else None
    kind = (found and found.dtype) or input.dtype
    strides = _strides_like(input, options.get("memory_format"))
    if strides is None:
        made = constant(input._shape, kind, value)
    else:
        made = apply(_filled_in_order, (), (input._shape, kind, value, strides))
    return made.requires_grad_() if found and found.requires_grad else made


def _strides_like(input: TensorBase, memory_format: Any) -> Shape | None:
    if memory_format is None and input._layout is None and input._storage.strides is None:
        return None
    layout = input._laid_out()
    return strides_in(memory_format, layout.shape, layout.strides)


def zeros_like(input: Any, **options: Any) -> Any:
    """Zeros of the size and dtype of ``input``. Source: torch.zeros_like."""
    return _like("zeros_like", input, 0, options)


def ones_like(input: Any, **options: Any) -> Any:
    """Ones of the size and dtype of ``input``. Source: torch.ones_like."""
    return _like("ones_like", input, 1, options)


def empty_like(input: Any, **options: Any) -> Any:
    """A tensor of the size and dtype of ``input`` whose values do not matter. Source: torch.empty_like."""
    return _like("empty_like", input, 0, options)


def full_like(input: Any, fill_value: Any, **options: Any) -> Any:
    """``fill_value`` everywhere, of the size and dtype of ``input``. Source: torch.full_like."""
    as_tensor_argument("full_like", "input", input)
    found = options_of("full_like", options)
    strides = _strides_like(input, options.get("memory_format"))
    made = _full_of("full_like", input._shape, fill_value, found.dtype or input.dtype, strides)
    return made.requires_grad_() if found.requires_grad else made


def _new_like(name: str, input: Any, args: tuple[Any, ...], options: dict[str, Any], value: int) -> Any:
    return _new(name, value, {"dtype": input.dtype, **_given(options)}, args)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "dtype" or value is not None}


def new_zeros(input: Any, *size: Any, **options: Any) -> Any:
    """Zeros of the given sizes and of ``input``'s dtype. Source: torch.Tensor.new_zeros."""
    return _new_like("new_zeros", input, size, options, 0)


def new_ones(input: Any, *size: Any, **options: Any) -> Any:
    """Ones of the given sizes and of ``input``'s dtype. Source: torch.Tensor.new_ones."""
    return _new_like("new_ones", input, size, options, 1)


def new_empty(input: Any, *size: Any, **options: Any) -> Any:
    """A tensor of ``input``'s dtype whose values do not matter. Source: torch.Tensor.new_empty."""
    return _new_like("new_empty", input, size, options, 0)


def new_full(input: Any, size: Any, fill_value: Any, **options: Any) -> Any:
    """``fill_value`` everywhere, of ``input``'s dtype. Source: torch.Tensor.new_full."""
    return full(size, fill_value, **{"dtype": input.dtype, **_given(options)})


def new_tensor(input: Any, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """A copy of ``data`` in ``input``'s dtype. Source: torch.Tensor.new_tensor."""
    check_options(device)
    made = made_of(data, as_dtype_argument(dtype) or input.dtype)
    return made.requires_grad_() if requires_grad else made


def _strided(name: str, shape: Any, strides: Any, kind: dtype | None, options: dict[str, Any]) -> Any:
    found = options_of(name, options)
    kind = found.dtype or kind or dtypes.get_default_dtype()
    shape, strides = shape_of(name, (tuple(shape),)), shape_of(name, (tuple(strides),))
    if len(shape) != len(strides):
        raise errors.runtime(f"{name} needs a stride for each dimension", size=list(shape), stride=list(strides))
    if is_dense(shape, strides):
        order = None if is_contiguous(shape, strides) else strides
        made = constant(shape, kind, 0) if order is None else apply(_filled_in_order, (), (shape, kind, 0, order))
    else:
        last = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True)) if 0 not in shape else -1
        made = constant((last + 1,), kind, 0).as_strided(shape, strides)
    return made.requires_grad_() if found.requires_grad else made


def empty_strided(size: Any, stride: Any, **options: Any) -> Any:
    """A tensor with the given strides whose values do not matter. Source: torch.empty_strided."""
    return _strided("empty_strided", size, stride, None, options)


def new_empty_strided(input: Any, size: Any, stride: Any, **options: Any) -> Any:
    """The same in ``input``'s dtype. Source: torch.Tensor.new_empty_strided."""
    return _strided("new_empty_strided", size, stride, input.dtype, options)


def empty_permuted(size: Any, physical_layout: Any, **options: Any) -> Any:
    """A tensor whose dimensions lie in memory in the given order, outermost first. Source: torch.empty_permuted."""
    shape, order = shape_of("empty_permuted", (size,)), tuple(physical_layout)
    if sorted(order) != list(range(len(shape))):
        raise errors.runtime(
            "empty_permuted: the physical layout must name each dimension once",
            size=list(shape),
            physical_layout=list(order),
        )
    return _strided("empty_permuted", shape, in_order(shape, order[::-1]) or contiguous_strides(shape), None, options)


def scalar_tensor(s: Any, **options: Any) -> Any:
    """A 0-d tensor of the default dtype. Source: torch.scalar_tensor."""
    return full((), s, **{"dtype": dtypes.get_default_dtype(), **_given(options)})


METHODS = {
    "new_zeros": new_zeros, "new_ones": new_ones, "new_empty": new_empty, "new_full": new_full,
    "new_tensor": new_tensor, "new_empty_strided": new_empty_strided,
}  # fmt: skip
IN_PLACE = ()
