"""Tensors from data, from sizes, from ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from zerograd import dtypes
from zerograd.ir.graph import TensorType
from zerograd.tensor.base import TensorBase


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Any:
    """A new tensor with a copy of ``data``. Source: torch.tensor."""
    array = np.array(data)
    if dtype is None:
        dtype = dtypes.from_numpy(array.dtype)
        if not isinstance(data, np.ndarray) and dtype.is_floating_point:
            dtype = dtypes.get_default_dtype()
    made = TensorBase.of_array(np.array(array, dtype.numpy), TensorType(array.shape, dtype))
    return made.requires_grad_() if requires_grad else made
