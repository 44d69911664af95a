"""Saving with one library and loading with another."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import torch

import zerograd

LIBRARIES = {"zerograd": zerograd, "torch": torch}
OLD = {"_use_new_zipfile_serialization": False}
Make = Callable[[Any], Any]


def through_file(value: Any, writer: Any, reader: Any, saving: dict[str, Any] | None = None, **loading: Any) -> Any:
    """What one library loads of what the other has saved."""
    file = io.BytesIO()
    writer.save(value, file, **(saving or {}))
    file.seek(0)
    return reader.load(file, **loading)
