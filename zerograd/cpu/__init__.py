"""The processor, seen as a device like a GPU. Source: torch.cpu."""

from __future__ import annotations

from typing import Any

from zerograd.runtime.realize import launch


class Stream:
    """A queue of work: the processor has one. Source: torch.cpu.Stream."""

    def __init__(self, priority: int = -1) -> None:
        del priority

    def wait_stream(self, stream: Any) -> None:
        """Wait for another queue: there is none."""

    def record_event(self) -> None:
        """Mark a place in the queue: nothing waits for it."""


class Event:
    """A mark in the queue of work, which is passed as soon as it is made. Source: torch.cpu.Event."""

    def query(self) -> bool:
        return True

    def record(self, stream: Any = None) -> None:
        """Set the mark."""

    def synchronize(self) -> None:
        """Wait until it is passed."""

    def wait(self, stream: Any = None) -> None:
        """Let a queue wait until it is passed."""


class StreamContext:
    """Use a queue inside a block."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


_stream = Stream()


def is_available() -> bool:
    """Whether there is a processor."""
    return True


def is_initialized() -> bool:
    """Whether it is ready."""
    return True


def device_count() -> int:
    """One: its cores work together."""
    return 1


def current_device() -> str:
    """The device in use."""
    return "cpu"


def set_device(device: Any) -> None:
    """There is only one."""


def current_stream(device: Any = None) -> Stream:
    """The queue in use."""
    return _stream


def stream(stream: Any) -> StreamContext:
    """Use a queue inside a block."""
    return StreamContext(stream)


def synchronize(device: Any = None) -> None:
    """Compute what has been recorded so far and not computed yet."""
    launch()
