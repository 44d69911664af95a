"""Changing the dtype, device and gradient state of a whole module."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

from zerograd import dtypes, errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.nn.modules.traversal import Traversal
from zerograd.tensor.functions.creation import empty_like
from zerograd.tensor.gradients import clear_gradients
from zerograd.tensor.tensor import Tensor

Convert = Callable[[Tensor], Tensor]


class Conversion(Traversal):
    """The part of `Module` that converts its parameters, which keep their identity, and buffers."""

    def _apply(self, fn: Convert, recurse: bool = True) -> Self:
        """Replace the data of each parameter and its gradient, and each buffer, by ``fn`` of it."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            with no_grad():
                converted = fn(parameter)
                grad = parameter.grad
                converted_grad = None if grad is None else fn(grad)
            if converted is not parameter:
                parameter.data = converted
            if grad is not None and converted_grad is not grad:
                grad.data = converted_grad
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def apply(self, fn: Callable[[Any], object]) -> Self:
        """Call ``fn`` on every submodule, children first, and on this module last.

        Source: torch.nn.Module.apply.
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _cast_floats(self, dtype: dtypes.dtype) -> Self:
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def float(self) -> Self:
        """Floating-point parameters and buffers to float32. Source: torch.nn.Module.float."""
        return self._cast_floats(dtypes.float32)

    def double(self) -> Self:
        """Floating-point parameters and buffers to float64. Source: torch.nn.Module.double."""
        return self._cast_floats(dtypes.float64)

    def half(self) -> Self:
        """Floating-point parameters and buffers to float16. Source: torch.nn.Module.half."""
        return self._cast_floats(dtypes.float16)

    def bfloat16(self) -> Self:
        """Floating-point parameters and buffers to bfloat16. Source: torch.nn.Module.bfloat16."""
        return self._cast_floats(dtypes.bfloat16)

    def type(self, dst_type: dtypes.dtype | str) -> Self:
        """All parameters and buffers to ``dst_type``. Source: torch.nn.Module.type."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def cpu(self) -> Self:
        """Parameters and buffers to the CPU. Source: torch.nn.Module.cpu."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Parameters and buffers to a CUDA device; an error on this build. Source: torch.nn.Module.cuda.

        Raises:
            AssertionError: there is no CUDA here (only if the module has parameters or buffers, as in
                PyTorch).
        """
        return self._apply(lambda tensor: tensor.cuda(device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Parameters and buffers of the same shapes on ``device``, with undefined values.

        Source: torch.nn.Module.to_empty.
        """
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse=recurse)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert parameters and buffers, called like `Tensor.to`.

        ``to(device=None, dtype=None, non_blocking=False)``, ``to(dtype)``, ``to(tensor)`` (its dtype and
        device), ``to(memory_format=...)``. The dtype changes floating-point and complex tensors only.

        Raises:
            TypeError: the dtype is neither floating-point nor complex.
        Source: torch.nn.Module.to.
        """
        device, dtype, non_blocking = parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise errors.type_(f"a module converts to floating-point or complex types only, not to {dtype}")
            if dtype.is_complex:
                warnings.warn(
                    "parameters are being made complex, which not every module can compute with", stacklevel=2
                )

        def convert(tensor: Tensor) -> Tensor:
            kind = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            options = {name: value for name, value in (("device", device), ("dtype", kind)) if value is not None}
            return tensor.to(**options, non_blocking=non_blocking) if options else tensor

        return self._apply(convert)

    def share_memory(self) -> Self:
        """Move the storages of parameters and buffers to memory that processes share.

        Source: torch.nn.Module.share_memory.
        """
        return self._apply(lambda tensor: tensor.share_memory_())

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter. Source: torch.nn.Module.requires_grad_."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """End the life of all gradients: None, or zeros in the same tensors if not ``set_to_none``.

        Source: torch.nn.Module.zero_grad.
        """
        clear_gradients(self.parameters(), set_to_none)


def parse_to(
    *args: Any,
    device: Any = None,
    dtype: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: object = None,
    tensor: Tensor | None = None,
) -> tuple[Any, dtypes.dtype | None, bool]:
    """The (device, dtype, non_blocking) that the arguments of a ``to`` call mean.

    Raises:
        TypeError: they fit none of the forms of `Tensor.to`.
    """
    other = tensor
    rest = list(args)
    if rest:
        first = rest.pop(0)
        if isinstance(first, Tensor):
            other = first
        elif isinstance(first, dtypes.dtype):
            dtype = first
        else:
            device = first
            if rest and (rest[0] is None or isinstance(rest[0], dtypes.dtype)):
                dtype = rest.pop(0)
        if rest and isinstance(rest[0], bool):
            non_blocking = rest.pop(0)
        if rest and isinstance(rest[0], bool):
            rest.pop(0)  # copy: a module's tensors are copied only where they change
    if rest or (dtype is not None and not isinstance(dtype, dtypes.dtype)) or isinstance(device, (float, list)):
        raise errors.type_(
            "to() got arguments that it cannot read",
            got=", ".join([*map(repr, args)]),
            hint="to(device, dtype), to(dtype) or to(tensor)",
        )
    if other is not None:
        device, dtype = other.device, other.dtype
    return device, dtype, non_blocking
