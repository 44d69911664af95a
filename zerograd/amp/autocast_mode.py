"""``torch.autocast``: a block in which products compute in bfloat16 (or float16)."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Self

from zerograd import dtypes, errors
from zerograd.amp import policy
from zerograd.dtypes import dtype
from zerograd.ir.record import recorder
from zerograd.runtime import devices
from zerograd.tensor.tensor import Tensor

_LOWER = (dtypes.bfloat16, dtypes.float16)
_preferred = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16, "xpu": dtypes.bfloat16, "mps": dtypes.bfloat16}
_cache_enabled = True


def is_autocast_available(device_type: str) -> bool:
    """Whether there are rules for autocast on this kind of device; that it is there is another question.

    Source: torch.amp.is_autocast_available.
    """
    return devices.device(device_type).type in _preferred


def get_autocast_dtype(device_type: str) -> dtype:
    """The type that autocast converts to unless told otherwise. Source: torch.get_autocast_dtype."""
    return _preferred[devices.device(device_type).type]


def set_autocast_dtype(device_type: str, dtype: dtype) -> None:
    """Set the type that autocast converts to unless told otherwise. Source: torch.set_autocast_dtype."""
    _preferred[devices.device(device_type).type] = dtype


def get_autocast_cpu_dtype() -> dtype:
    """Source: torch.get_autocast_cpu_dtype."""
    return _preferred["cpu"]


def set_autocast_cpu_dtype(dtype: dtype) -> None:
    """Source: torch.set_autocast_cpu_dtype."""
    _preferred["cpu"] = dtype


def get_autocast_gpu_dtype() -> dtype:
    """Source: torch.get_autocast_gpu_dtype."""
    return _preferred["cuda"]


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether products are converted now; without an argument, on a GPU. Source: torch.is_autocast_enabled."""
    return devices.device(device_type).type == "cpu" and recorder.own.autocast is not None


def is_autocast_cpu_enabled() -> bool:
    """Source: torch.is_autocast_cpu_enabled."""
    return recorder.own.autocast is not None


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Turn autocast on or off until told otherwise. Source: torch.set_autocast_enabled."""
    if enabled is not None and devices.device(device_type).type == "cpu":
        recorder.own.set_autocast(policy.conversion(_preferred["cpu"]) if enabled else None)


def is_autocast_cache_enabled() -> bool:
    """What was asked for; there is no cache of converted weights. Source: torch.is_autocast_cache_enabled."""
    return _cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Source: torch.set_autocast_cache_enabled."""
    global _cache_enabled
    _cache_enabled = bool(enabled)


def clear_autocast_cache() -> None:
    """Nothing is cached. Source: torch.clear_autocast_cache."""


class autocast:  # noqa: N801  PyTorch's own name
    """A block (or, as a decorator, a function) whose products compute in a lower precision.

    Matrix products and convolutions convert their float32 operands to ``dtype``; losses convert theirs to float32;
    everything else computes in the types that it is given. Gradients come back in the types of the operands.

    Args:
        device_type: "cpu". For a GPU, which is not there, the block warns and changes nothing.
        dtype: bfloat16 (the default on the CPU) or float16.
        enabled: False: inside, nothing is converted.
        cache_enabled: accepted; converted weights are not kept.
    Raises:
        RuntimeError: the device has no autocast.
        ValueError: no device type is given.
    Source: torch.amp.autocast.
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise errors.value(
                f"autocast takes a device type such as 'cpu', got {type(device_type).__name__}",
                hint="torch.autocast('cpu') converts products on the CPU",
            )
        self.device = devices.device(device_type).type
        if self.device not in _preferred:
            raise errors.runtime(f"there is no autocast for {self.device!r} devices", hint="there is one for 'cpu'")
        self.fast_dtype = dtype or _preferred[self.device]
        self._enabled = bool(enabled)
        if self._enabled and self.device != "cpu":
            warnings.warn(
                f"autocast is for {self.device!r} here, which is not available: nothing will be converted", stacklevel=2
            )
            self._enabled = False
        if self._enabled and self.fast_dtype not in _LOWER:
            warnings.warn(
                f"autocast on the CPU converts to torch.bfloat16 or torch.float16, not {self.fast_dtype}:"
                " nothing will be converted",
                stacklevel=2,
            )
            self._enabled = False
        del cache_enabled
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        own = recorder.own
        self._before.append(own.autocast)
        if self.device == "cpu":
            own.set_autocast(policy.conversion(self.fast_dtype) if self._enabled else None)
        return self

    def __exit__(self, *_: object) -> None:
        recorder.own.set_autocast(self._before.pop())

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` run in such a block."""

        @functools.wraps(func)
        def converting(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return converting


def _as_dtype(value: Any, device_type: str, kind: dtype) -> Any:
    """Every float tensor in nested lists, tuples and dictionaries in the type ``kind``."""
    if isinstance(value, Tensor):
        convert = value.is_floating_point() and value.device.type == device_type and value.dtype is not dtypes.float64
        return value.to(kind) if convert else value
    if isinstance(value, dict):
        return {name: _as_dtype(one, device_type, kind) for name, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_as_dtype(one, device_type, kind) for one in value)
    return value


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: dtype | None = None
) -> Callable[..., Any]:
    """For the ``forward`` of a custom function: whether it converts is remembered for its backward pass.

    Args:
        cast_inputs: the type that float inputs are converted to under autocast, which is off inside.
    Source: torch.amp.custom_fwd.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        active = is_autocast_enabled(device_type)
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = active and cast_inputs is None
        if not active or cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            converted = _as_dtype((args, kwargs), device_type, cast_inputs)
            return fwd(ctx, *converted[0], **converted[1])

    return decorated


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Callable[..., Any]:
    """For the ``backward`` of a custom function: it converts if its ``forward`` did.

    Source: torch.amp.custom_bwd.
    """
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args, **kwargs)

    return decorated
