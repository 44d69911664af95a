"""The old way to choose a loss's reduction: two booleans. Source: torch.nn._reduction."""

from __future__ import annotations

import warnings

from zerograd import errors

NAMES = ("none", "mean", "sum")


def known(reduction: str) -> str:
    """The reduction itself.

    Raises:
        ValueError: there is none of that name.
    """
    if reduction not in NAMES:
        raise errors.value(f"there is no reduction {reduction!r}", hint=f"use one of {', '.join(NAMES)}")
    return reduction


def get_enum(reduction: str) -> int:
    """The number of a reduction: none 0, mean 1, sum 2.

    Raises:
        ValueError: it is none of these.
    """
    return NAMES.index(known(reduction))


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """The reduction that the old arguments mean: ``reduce=False`` is none, ``size_average=False`` is sum."""
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    if emit_warning:
        warnings.warn(
            f"size_average and reduce are deprecated: write reduction='{reduction}' instead",
            UserWarning,
            stacklevel=3,
        )
    return reduction


def legacy_get_enum(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> int:
    """The number of the reduction that the old arguments mean."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
