"""What may stand in a file by name: PyTorch's names for what zerograd has, and nothing that runs code.

A pickle names functions and classes and says with which arguments to call them. Only names from here are
looked at. Each stands for a maker, a function of this package that checks its arguments, or for a class whose
instances are built without calling anything of it.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter
from zerograd.runtime.devices import device
from zerograd.serialization.memory import STORAGE_DTYPES, Memory, StorageType
from zerograd.tensor.size import Size
from zerograd.tensor.tensor import Tensor

Name = tuple[str, str]


def rebuild_tensor(memory: Memory, offset: int, size: Any, stride: Any) -> Tensor:
    return memory.tensor(memory.dtype, offset, size, stride)


def rebuild_tensor_v2(
    memory: Memory, offset: int, size: Any, stride: Any, requires_grad: bool, hooks: Any, metadata: Any = None
) -> Tensor:
    return rebuild_tensor(memory, offset, size, stride).requires_grad_(requires_grad)


def rebuild_tensor_v3(
    memory: Memory,
    offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    hooks: Any,
    dtype: dtypes.dtype,
    metadata: Any = None,
) -> Tensor:
    return memory.tensor(dtype, offset, size, stride).requires_grad_(requires_grad)


def rebuild_parameter(data: Tensor, requires_grad: bool = True, hooks: Any = None) -> Parameter:
    return Parameter(data, requires_grad)


def rebuild_parameter_with_state(data: Tensor, requires_grad: bool, hooks: Any, state: Any) -> Parameter:
    return _with_state(Parameter(data, requires_grad), state)


def rebuild_from_type(function: Callable[..., Tensor], kind: type[Any], args: tuple[Any, ...], state: Any) -> Tensor:
    if function not in (rebuild_tensor_v2, rebuild_tensor_v3) or kind is not Tensor:
        raise TypeError("a tensor of a class of its own cannot be loaded")
    return _with_state(function(*args), state)


def _with_state(tensor: Any, state: Any) -> Any:
    """The tensor with the attributes that a program had given it."""
    attributes = state[0] if isinstance(state, tuple) else state
    for name, value in attributes.items():
        if hasattr(type(tensor), name) or name.startswith("_"):
            raise TypeError(f"a file cannot change the attribute {name!r} of a tensor")
        tensor.__dict__[name] = value
    return tensor


def encode(text: str, encoding: str = "latin1") -> bytes:
    """Bytes, which protocol 2 has no other form for."""
    if encoding != "latin1":
        raise ValueError(f"bytes are written as latin1, not as {encoding!r}")
    return text.encode("latin1")


def new_bytearray(data: Any = b"", encoding: str = "latin-1") -> bytearray:
    return bytearray(data if isinstance(data, bytes) else encode(data, encoding.replace("-", "")))


# The names that are always allowed, with what they stand for.
SAFE: dict[Name, Any] = {
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor_v2,
    ("torch._utils", "_rebuild_tensor_v3"): rebuild_tensor_v3,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): rebuild_parameter_with_state,
    ("torch.tensor", "_rebuild_from_type_v2"): rebuild_from_type,  # PyTorch 1.7 to 1.13
    ("torch._tensor", "_rebuild_from_type_v2"): rebuild_from_type,
    ("torch.nn.parameter", "Parameter"): Parameter,
    ("torch", "Tensor"): Tensor,
    ("torch", "Size"): Size,
    ("torch", "device"): device,
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
    ("_codecs", "encode"): encode,
    ("builtins", "bytearray"): bytearray,
    ("builtins", "set"): set,
    ("builtins", "complex"): complex,
}
SAFE |= {("torch", dtype.name): dtype for dtype in dtypes.ALL}
SAFE |= {("torch", name): StorageType(name) for name in STORAGE_DTYPES if name != "UntypedStorage"}
SAFE |= {("torch.storage", "UntypedStorage"): StorageType("UntypedStorage")}

_IN_TORCH: dict[int, Name] = {id(made): name for name, made in SAFE.items() if name[0].startswith("torch")}


def numpy_scalar(dtype: np.dtype[Any], data: bytes) -> Any:
    """A NumPy number from its bytes."""
    if dtype.hasobject:
        raise TypeError("a NumPy number is no object")
    return np.frombuffer(data, dtype, count=1)[0]


def numpy_dtype(code: str, align: bool = False, copy: bool = False) -> np.dtype[Any]:
    """An element type, a new object, since its byte order follows."""
    dtype = np.dtype(code, align=bool(align), copy=True)
    if dtype.hasobject:
        raise TypeError("an array of objects cannot be loaded; save a list")
    return dtype


def empty_array(kind: type[Any], shape: Any, code: Any) -> np.ndarray[Any, Any]:
    """What the state of an array is put into."""
    if kind is not np.ndarray:
        raise TypeError("an array of a class of its own cannot be loaded")
    return np.empty((0,), np.uint8)


def reconstructor(kind: type[Any], base: type[Any], state: Any) -> Any:
    """An instance as protocols 0 and 1 write it."""
    if base is not object or state is not None:
        raise TypeError(f"an instance of {kind.__name__} is built on {base.__name__}, which cannot be loaded")
    return new_instance(kind, ())


def default_dict(factory: Any = None) -> defaultdict[Any, Any]:
    if factory not in (None, *_BUILTINS):
        raise TypeError(f"a defaultdict in a file makes lists, dictionaries or numbers, not {factory!r}")
    return defaultdict(factory)


def new_path(*parts: str) -> Path:
    return Path(*parts)


_BUILTINS = (int, float, bool, str, bytes, list, tuple, dict, set)

# The names that are allowed in addition with weights_only=False.
ALSO_SAFE: dict[Name, Any] = {
    ("collections", "defaultdict"): defaultdict,
    ("collections", "deque"): deque,
    ("copyreg", "_reconstructor"): reconstructor,
    ("builtins", "object"): object,
    ("builtins", "slice"): slice,
    ("builtins", "range"): range,
    ("builtins", "frozenset"): frozenset,
    ("pathlib", "PosixPath"): new_path,
    ("pathlib", "WindowsPath"): new_path,
}
ALSO_SAFE |= {("builtins", kind.__name__): kind for kind in _BUILTINS}
for _numpy in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray"):
    ALSO_SAFE |= {
        (_numpy, "scalar"): numpy_scalar,
        (_numpy, "dtype"): numpy_dtype,
        (_numpy, "_reconstruct"): empty_array,
        (_numpy, "ndarray"): np.ndarray,
    }

# What is done where a file calls one of the classes above. Classes that are not here are not called.
CALLED: dict[Any, Callable[..., Any]] = {
    kind: kind for kind in (Parameter, Size, device, OrderedDict, Counter, set, complex, deque, slice, range, frozenset)
}
CALLED |= {bytearray: new_bytearray, defaultdict: default_dict}
CALLED |= {list: list, dict: dict, bytes: lambda: b"", tuple: lambda: ()}
CALLED |= {made: made for made in (SAFE | ALSO_SAFE).values() if isinstance(made, FunctionType)}


def known_function(module: str, name: str) -> Any:
    """A function, the program's or zerograd's, that stands in a file as a value, such as an activation.

    The file cannot have it called.
    """
    module = {"torch._C._nn": "torch.nn.functional", "torch._C": "torch"}.get(module, module)
    found = getattr(sys.modules.get(_at_home(module)), "__dict__", {}).get(name)
    home = getattr(found, "__module__", None) or ""
    of_tensors = home.startswith(("zerograd.nn.functional", "zerograd.tensor.functions"))
    return found if isinstance(found, FunctionType) and (of_tensors or _is_own(home)) else None


def known_class(module: str, name: str) -> type[Any] | None:
    """A class of the running program, or a Module, whose instances a file may contain.

    Nothing is imported: a file must not choose what is run. Classes of other libraries are left out, since
    their methods may do anything with attributes that come from a file; so are classes that act when dropped.
    """
    home = sys.modules.get(_at_home(module))
    found: Any = home
    for part in name.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    if found is None and module.startswith("torch.nn."):
        found = getattr(sys.modules["zerograd.nn"], name, None)
    if not isinstance(found, type) or hasattr(found, "__del__"):
        return None
    allowed = issubclass(found, Module) or name in _PLAIN.get(module, ()) or _is_own(found.__module__)
    return found if allowed else None


_PLAIN = {"argparse": ("Namespace",), "types": ("SimpleNamespace",)}
_OF_ZEROGRAD = ("zerograd.nn.", "zerograd.optim.", "zerograd.utils.data.")


@cache
def _installed() -> tuple[str, ...]:
    """The folders of Python and of installed libraries."""
    import sysconfig

    return tuple({sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def _at_home(module: str) -> str:
    """The module in which zerograd has what PyTorch has in `module`."""
    return f"zerograd{module[5:]}" if module == "torch" or module.startswith("torch.") else module


def _is_own(module: str) -> bool:
    """Whether a module belongs to the program, or is one of zerograd's whose instances are data."""
    if module == "__main__" or module.startswith(_OF_ZEROGRAD):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and not file.startswith(_installed()) and module.partition(".")[0] != "zerograd"


def name_in_torch(value: Any) -> Name | None:
    """PyTorch's name for a class or function of zerograd."""
    known = _IN_TORCH.get(id(value))
    if known is not None:
        return known
    module = getattr(value, "__module__", None) or ""
    if module.partition(".")[0] == "zerograd":
        return f"torch{module[8:]}", value.__qualname__
    return None


def new_instance(kind: type[Any], args: tuple[Any, ...]) -> Any:
    """An instance, made without calling anything that the class defines."""
    if issubclass(kind, tuple):
        return tuple.__new__(kind, args)
    base: Any
    for base in (OrderedDict, dict, list, set):
        if issubclass(kind, base):
            return base.__new__(kind)
    if args:
        raise TypeError(f"an instance of {kind.__name__} needs arguments, which would call its __new__")
    return object.__new__(kind)
