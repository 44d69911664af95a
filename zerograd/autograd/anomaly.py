"""Finding the operation that brings NaN into a gradient: ``torch.autograd.detect_anomaly``."""

from __future__ import annotations

import warnings

from zerograd.ir.record import recorder


class set_detect_anomaly:  # noqa: N801
    """While on, every node knows the line that made it, and a backward pass stops at the first NaN it makes.

    Slow: nothing is remembered, every gradient is computed on the spot. Source: torch.autograd.set_detect_anomaly.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        own = recorder.own
        self._before = own.exact_lines, own.check_nan
        own.exact_lines, own.check_nan = mode, mode and check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        recorder.own.exact_lines, recorder.own.check_nan = self._before


class detect_anomaly:  # noqa: N801
    """``set_detect_anomaly(True)`` for a block. Source: torch.autograd.detect_anomaly."""

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan
        warnings.warn(
            "anomaly detection is on: every step is recorded and checked anew, which is slow; use it to debug only",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._mode = set_detect_anomaly(True, self._check_nan)

    def __exit__(self, *error: object) -> None:
        self._mode.__exit__(*error)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on. Source: torch.is_anomaly_enabled."""
    return recorder.own.exact_lines


def is_anomaly_check_nan_enabled() -> bool:
    """Whether backward passes stop at NaN. Source: torch.is_anomaly_check_nan_enabled."""
    return recorder.own.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turn anomaly detection on or off. Source: torch.set_anomaly_enabled."""
    set_detect_anomaly(mode, check_nan)
