"""Devices by name. Everything is computed on the CPU; other devices can be named, but nothing can be put there."""

from __future__ import annotations

from typing import Any

from zerograd import errors

_TYPES = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy",
    "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:  # noqa: N801  PyTorch's own name
    """Where a tensor is computed: a type, e.g. "cpu", and an index, or ``None`` for the current one.

    >>> device("cuda:1")
    device(type='cuda', index=1)

    As a context manager it is the device of tensors made inside.
    Source: torch.device.
    """

    __slots__ = ("_before", "index", "type")

    type: str
    index: int | None

    def __init__(self, type: str | int | device = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            name, number = type.type, type.index
        elif isinstance(type, str):
            name, number = _parse(type)
        elif isinstance(type, int) and not isinstance(type, bool):
            raise errors.runtime(
                f"device({type}) means an accelerator, and zerograd has none", hint='use torch.device("cpu")'
            )
        else:
            raise errors.type_(f"device(): argument 'type' must be str, int or torch.device, not {type!r}")
        if index is not None:
            if number is not None:
                raise errors.runtime(f"the device string {type!r} and the argument index={index} both give an index")
            number = index
        self.type, self.index = name, number
        self._before: list[device | None] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        place = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{place})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type,) if self.index is None else (self.type, self.index)

    def __enter__(self) -> device:
        self._before.append(_default)
        set_default_device(self)
        return self

    def __exit__(self, *_: object) -> None:
        set_default_device(self._before.pop())

    def __call__(self, function: Any) -> Any:
        import functools

        @functools.wraps(function)
        def on_device(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return on_device


def _parse(text: str) -> tuple[str, int | None]:
    name, colon, number = text.partition(":")
    if name not in _TYPES:
        raise errors.runtime(
            f"{text!r} names no device; the kinds are {', '.join(_TYPES)}",
            hint='zerograd computes on "cpu"',
        )
    if not colon:
        return name, None
    if not number.isdecimal() or (len(number) > 1 and number[0] == "0"):
        raise errors.runtime(f"Invalid device string: '{text}'", hint='the form is "cpu" or "cuda:0"')
    return name, int(number)


CPU = device("cpu")
_default: device | None = None


def get_default_device() -> device:
    """The device of new tensors for which none is given. Source: torch.get_default_device."""
    return _default or CPU


def set_default_device(device: Any) -> None:
    """Make ``device`` the one of new tensors; ``None`` restores the CPU. Source: torch.set_default_device."""
    global _default
    _default = None if device is None else as_device(device)


def as_device(given: Any) -> device:
    return given if isinstance(given, device) else device(given)


def check(given: Any) -> None:
    """That tensors can be put on the device ``given``; ``None`` is the default one.

    Raises:
        AssertionError: a CUDA or XPU device, as on PyTorch without CUDA.
        RuntimeError: any other device but the CPU.
    """
    if given is None:
        if _default is None:
            return
        given = _default
    name = as_device(given).type
    if name == "cpu":
        return
    if name in ("cuda", "xpu", "hip"):
        raise AssertionError(
            f"zerograd computes on the CPU and has no {name.upper()}"
            '\n  hint   device = "cuda" if torch.cuda.is_available() else "cpu" chooses what is there'
        )
    raise errors.runtime(f"zerograd has no support for {name} devices", hint='it computes on "cpu"')
