"""The old ways to name and make tensors: ``torch.Tensor(2, 3)``, ``torch.FloatTensor``, ``x.type()``."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.runtime import devices
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.conversion import convert
from zerograd.tensor.functions.creation import empty
from zerograd.tensor.functions.data import made_of
from zerograd.tensor.size import Size

NAMES = {
    "Float": dtypes.float32, "Double": dtypes.float64, "Half": dtypes.float16, "BFloat16": dtypes.bfloat16,
    "Byte": dtypes.uint8, "Char": dtypes.int8, "Short": dtypes.int16, "Int": dtypes.int32, "Long": dtypes.int64,
    "Bool": dtypes.bool_, "ComplexFloat": dtypes.complex64, "ComplexDouble": dtypes.complex128,
}  # fmt: skip
_BY_DTYPE = {kind: f"torch.{name}Tensor" for name, kind in NAMES.items()}


def construct(kind: dtype, args: tuple[Any, ...], kwargs: dict[str, Any], *, convert_tensors: bool = False) -> Any:
    """A tensor from sizes (uninitialised) or from data, the legacy way.

    Raises:
        TypeError: neither sizes nor a sequence.
    """
    devices.check(kwargs.pop("device", None))
    if kwargs:
        data = kwargs.pop("data", kwargs.pop("size", None))
        if kwargs or data is None:
            raise errors.type_(f"new() has no argument '{next(iter(kwargs), '')}'")
        args = (data,)
    if len(args) != 1 or isinstance(args[0], int | Size):
        if any(not hasattr(one, "__index__") for one in args if not isinstance(one, Size)):
            raise errors.type_(
                "new() makes a tensor of sizes or of one sequence of numbers, not of"
                f" ({', '.join(type(one).__name__ for one in args)})"
            )
        return empty(*(args if args else (0,)), dtype=kind)
    (data,) = args
    if isinstance(data, TensorBase):
        if data.dtype is not kind and convert_tensors:
            raise errors.type_(
                f"expected a tensor of {kind}, got {data.dtype}", hint=f"tensor.to({kind}) converts its elements"
            )
        return data.detach()
    if isinstance(data, np.ndarray | list | tuple | range) or hasattr(data, "__len__"):
        return made_of(data, kind)
    raise errors.type_(f"new() makes a tensor of sizes or of a sequence, not of {type(data).__name__}")


class _TensorTypes(type):
    """``isinstance(x, torch.FloatTensor)`` asks for the dtype."""

    dtype: dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, TensorBase) and instance.dtype is cls.dtype

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return construct(cls.dtype, args, kwargs, convert_tensors=True)

    def __repr__(cls) -> str:
        return f"<class '{_BY_DTYPE[cls.dtype]}'>"

    def __str__(cls) -> str:
        return repr(cls)


def _tensor_type(name: str, kind: dtype) -> _TensorTypes:
    """The class that stands for tensors of one dtype."""
    return _TensorTypes(f"{name}Tensor", (), {"dtype": kind, "__module__": "torch", "is_cuda": False})


ALL = {f"{name}Tensor": _tensor_type(name, kind) for name, kind in NAMES.items()}
(
    FloatTensor, DoubleTensor, HalfTensor, BFloat16Tensor, ByteTensor, CharTensor, ShortTensor, IntTensor, LongTensor,
    BoolTensor, ComplexFloatTensor, ComplexDoubleTensor,
) = ALL.values()  # fmt: skip


def type_of(input: TensorBase, dtype: Any = None, non_blocking: bool = False, **_: Any) -> Any:
    """The name of the tensor's type, e.g. "torch.FloatTensor", or the tensor converted. Source: torch.Tensor.type."""
    if dtype is None:
        return _BY_DTYPE[input.dtype]
    return convert(input, _as_dtype(dtype))


def _as_dtype(given: Any) -> dtype:
    if isinstance(given, dtype):
        return given
    if isinstance(given, _TensorTypes):
        return given.dtype
    if given is TensorBase.result_class:
        return dtypes.get_default_dtype()
    if isinstance(given, str):
        name = given.removeprefix("torch.")
        if name.startswith("cuda."):
            devices.check("cuda")
        if name == "Tensor":
            return dtypes.get_default_dtype()
        if name in ALL and given.startswith("torch."):
            return ALL[name].dtype
        raise errors.value(f"invalid type: '{given}'", hint="the form is 'torch.FloatTensor'")
    if isinstance(given, type) and given in (float, int, bool):
        return {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool_}[given]
    raise errors.type_(f"type() takes a dtype, a tensor type or the name of one, not {given!r}")


def set_default_tensor_type(t: Any) -> None:
    """Make the dtype of a tensor type the default one. Source: torch.set_default_tensor_type."""
    dtypes.set_default_dtype(_as_dtype(t))


def typename(obj: Any) -> str:
    """The full name of an object's type; of a tensor, that of its tensor type. Source: torch.typename."""
    if isinstance(obj, TensorBase):
        return type_of(obj)
    if isinstance(obj, _TensorTypes):
        return _BY_DTYPE[obj.dtype]
    module, name = getattr(obj, "__module__", "") or "", ""
    if hasattr(obj, "__qualname__"):
        name = obj.__qualname__
    elif hasattr(obj, "__name__"):
        name = obj.__name__
    else:
        module, name = type(obj).__module__ or "", type(obj).__qualname__
    module = module.replace("zerograd", "torch", 1) if module.partition(".")[0] == "zerograd" else module
    return name if module in ("", "builtins") else f"{module}.{name}"


def detach(input: TensorBase) -> Any:
    """The same data without the history. Source: torch.detach."""
    return input.detach()


def get_device(input: TensorBase) -> int:
    """The number of the accelerator; -1 for the CPU. Source: torch.get_device."""
    return input.get_device()


def is_inference(input: TensorBase) -> bool:
    """Whether the tensor was made in inference mode. Source: torch.is_inference."""
    return input.is_inference()


def new(input: TensorBase, *args: Any, **kwargs: Any) -> Any:
    """A tensor of the same dtype, made the legacy way. Source: torch.Tensor.new."""
    return construct(input.dtype, args, kwargs)


METHODS = {"type": type_of, "new": new}
IN_PLACE = ()
