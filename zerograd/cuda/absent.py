"""Devices, streams and events of a GPU that is not there."""

from __future__ import annotations

from typing import Any, Never

from zerograd import errors

has_half = True


class OutOfMemoryError(RuntimeError):
    """A device has no memory left; never raised here, but programs catch it."""


def no_gpu() -> Never:
    """Say that the program has addressed a GPU.

    Raises:
        AssertionError: always, as PyTorch built without CUDA does.
    """
    raise AssertionError(
        "zerograd computes on the CPU and has no CUDA"
        '\n  hint   device = "cuda" if torch.cuda.is_available() else "cpu" chooses what is there'
    )


# --- questions ---------------------------------------------------------------------------------------


def is_available() -> bool:
    """Whether there is a GPU to use: no."""
    return False


def is_initialized() -> bool:
    """Whether CUDA has been started: no."""
    return False


def device_count() -> int:
    """How many GPUs there are: none."""
    return 0


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a GPU computes in bfloat16: no."""
    del including_emulation
    return False


def is_tf32_supported() -> bool:
    """Whether a GPU computes in TF32: no."""
    return False


def get_arch_list() -> list[str]:
    """The GPU architectures with support: none."""
    return []


def get_gencode_flags() -> str:
    """The compiler flags for them: none."""
    return ""


# --- commands ----------------------------------------------------------------------------------------


def init() -> None:
    """Start CUDA: raises AssertionError, as does every other function here that needs a GPU."""
    no_gpu()


def synchronize(device: Any = None) -> None:
    """Wait for a GPU."""
    no_gpu()


def current_device() -> int:
    """The number of the GPU in use."""
    no_gpu()


def set_device(device: Any) -> None:
    """Use this GPU; a negative number means none, and does nothing."""
    if not (isinstance(device, int) and device < 0):
        no_gpu()


def get_device_name(device: Any = None) -> str:
    """The name of a GPU."""
    no_gpu()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a GPU."""
    no_gpu()


def get_device_properties(device: Any = None) -> Any:
    """What is known of a GPU."""
    no_gpu()


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether one GPU reads another's memory."""
    no_gpu()


def ipc_collect() -> None:
    """Free memory shared between processes."""
    no_gpu()


def utilization(device: Any = None) -> int:
    """The share of time that a GPU was busy, in percent."""
    no_gpu()


def current_blas_handle() -> Any:
    """The handle of cuBLAS."""
    no_gpu()


def get_sync_debug_mode() -> int:
    """How waiting for a GPU is reported."""
    no_gpu()


def set_sync_debug_mode(debug_mode: int | str) -> None:
    """Set how waiting for a GPU is reported."""
    no_gpu()


def is_current_stream_capturing() -> bool:
    """Whether a graph of GPU work is being recorded."""
    no_gpu()


def current_stream(device: Any = None) -> Any:
    """The queue of work in use."""
    no_gpu()


def default_stream(device: Any = None) -> Any:
    """The queue that is there from the start."""
    no_gpu()


def set_stream(stream: Any) -> None:
    """Use another queue; ``None`` does nothing."""
    if stream is not None:
        no_gpu()


# --- objects -----------------------------------------------------------------------------------------


class _OfAGPU:
    """What only a GPU has: making one raises RuntimeError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise errors.runtime(
            f"torch.cuda.{type(self).__name__} is for GPUs, and there is none",
            hint="guard it with `if torch.cuda.is_available():`",
        )


class Stream(_OfAGPU):
    """A queue of work."""


class ExternalStream(_OfAGPU):
    """A queue of work made elsewhere."""


class Event(_OfAGPU):
    """A mark in a queue of work."""


class CUDAGraph(_OfAGPU):
    """Recorded work."""


class device:  # noqa: N801  PyTorch's own name
    """Use a GPU inside a block; entering it raises, unless the number is negative (none)."""

    def __init__(self, device: Any) -> None:
        self.idx = device if isinstance(device, int) else getattr(device, "index", None)

    def __enter__(self) -> None:
        if not (isinstance(self.idx, int) and self.idx < 0):
            no_gpu()

    def __exit__(self, *_: object) -> None:
        pass


class device_of(device):  # noqa: N801  PyTorch's own name
    """Use the GPU of a tensor inside a block; tensors here are on none, so nothing happens."""

    def __init__(self, obj: Any) -> None:
        del obj
        super().__init__(-1)


class StreamContext:
    """Use a queue of work inside a block; ``None`` does nothing."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            no_gpu()

    def __exit__(self, *_: object) -> None:
        pass


def stream(stream: Any) -> StreamContext:
    """Use a queue of work inside a block."""
    return StreamContext(stream)
