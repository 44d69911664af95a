"""What a program sets for the whole process: threads, determinism, precision of products, warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zerograd import errors
from zerograd.settings import cores, settings


@dataclass
class _Process:
    """The present values. What they change today is said at the functions that set them.

    The number of threads is ``settings.threads``, where the engines find it.
    """

    interop_threads: int
    deterministic: bool = False
    warn_only: bool = False
    matmul_precision: str = "highest"
    warn_always: bool = False


_process = _Process(interop_threads=cores())


def _positive(name: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int):
        raise errors.runtime(f"{name}() takes a whole number of threads, not {type(count).__name__}")
    if count < 1:
        raise errors.runtime(f"{name}() takes at least 1 thread, got {count}")
    return count


def get_num_threads() -> int:
    """How many threads computations may use. Source: torch.get_num_threads."""
    return settings.threads


def set_num_threads(int: int) -> None:
    """Set how many threads computations may use, from the next launch on; it changes no result.

    The native engine uses fewer for small programs. The reference engine computes in one thread, matrix products in as
    many as NumPy's BLAS was started with.

    Raises:
        RuntimeError: not a whole number, or below 1.
    Source: torch.set_num_threads.
    """
    settings.threads = _positive("set_num_threads", int)


def get_num_interop_threads() -> int:
    """How many operations may run at the same time. Source: torch.get_num_interop_threads."""
    return _process.interop_threads


def set_num_interop_threads(int: int) -> None:
    """Accepted: operations run one after the other. Source: torch.set_num_interop_threads."""
    _process.interop_threads = _positive("set_num_interop_threads", int)


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for the same numbers in every run. zerograd always gives them. Source: torch.use_deterministic_algorithms."""
    _process.deterministic = bool(mode)
    _process.warn_only = bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What was asked for last. Source: torch.are_deterministic_algorithms_enabled."""
    return _process.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Source: torch.is_deterministic_algorithms_warn_only_enabled."""
    return _process.warn_only


_DEBUG_MODES = ("default", "warn", "error")


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """The same as a number or word: "default" (0), "warn" (1), "error" (2).

    Raises:
        RuntimeError: another value.
    Source: torch.set_deterministic_debug_mode.
    """
    known = {**dict(enumerate(_DEBUG_MODES)), **{name: name for name in _DEBUG_MODES}}
    mode = known.get(debug_mode)
    if mode is None:
        raise errors.runtime(f"debug_mode is one of {', '.join(_DEBUG_MODES)} or 0, 1, 2; got {debug_mode!r}")
    use_deterministic_algorithms(mode != "default", warn_only=mode == "warn")


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2. Source: torch.get_deterministic_debug_mode."""
    if not _process.deterministic:
        return 0
    return 1 if _process.warn_only else 2


_PRECISIONS = ("highest", "high", "medium")


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 matrices to round more. Products here are always in full float32.

    Source: torch.set_float32_matmul_precision.
    """
    if precision in _PRECISIONS:
        _process.matmul_precision = precision
    else:
        import warnings

        warnings.warn(f"{precision!r} is none of {', '.join(_PRECISIONS)}: nothing is changed", stacklevel=2)


def get_float32_matmul_precision() -> str:
    """Source: torch.get_float32_matmul_precision."""
    return _process.matmul_precision


def set_flush_denormal(mode: bool) -> bool:
    """Whether subnormal numbers could be set to be treated as zero: they cannot, so the answer is False.

    Source: torch.set_flush_denormal.
    """
    del mode
    return False


def set_warn_always(b: bool) -> None:
    """Accepted: Python's warning filters decide how often a warning is shown. Source: torch.set_warn_always."""
    _process.warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """Source: torch.is_warn_always_enabled."""
    return _process.warn_always
