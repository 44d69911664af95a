"""What programs import from torch.nn.modules.utils, hence the file's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zerograd.nn.modules.tuples import ntuple, pair, quadruple, reverse_repeat, single, triple

__all__ = ["consume_prefix_in_state_dict_if_present"]

_ntuple = ntuple
_single = single
_pair = pair
_triple = triple
_quadruple = quadruple
_reverse_repeat_tuple = reverse_repeat


def _list_with_default(out_size: Sequence[int | None], defaults: Sequence[int]) -> list[int]:
    """``out_size`` with each None replaced by the input's size there, the last ones of ``defaults``."""
    if len(defaults) <= len(out_size):
        raise ValueError(f"an input of {len(defaults)} dimensions is too small for {len(out_size)} output sizes")
    known = defaults[len(defaults) - len(out_size) :]
    return [default if size is None else size for size, default in zip(out_size, known, strict=True)]


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Remove ``prefix`` from the names in ``state_dict``, in place.

    Source: torch.nn.modules.utils.consume_prefix_in_state_dict_if_present.
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key.removeprefix(prefix)] = state_dict.pop(key)
    metadata: Any = getattr(state_dict, "_metadata", {})
    for key in list(metadata):
        # The metadata has the modules' names, so the prefix stands there without its dot.
        if key == prefix.removesuffix("."):
            metadata[""] = metadata.pop(key)
        elif key.startswith(prefix):
            metadata[key.removeprefix(prefix)] = metadata.pop(key)
