"""Windows of images as columns; bytes as other types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engines.native.graphs import check_close, check_same
from engines.native.lowered import leaves

from zerograd import dtypes
from zerograd.ops.convolution import fold, unfold, window_counts
from zerograd.ops.movement import bitcast, permute

FORMS = [  # size, kernel, stride, padding, dilation
    ((7, 9), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    ((8, 6), (2, 3), (2, 1), ((1, 1), (2, 0)), (1, 2)),
    ((5, 5), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    ((12,), (4,), (3,), ((2, 2),), (2,)),
]


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation"), FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64])
def test_columns(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, dtype: Any) -> None:
    form = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    images = (np.arange(2 * 3 * np.prod(size)) % 31).reshape(3, 2, *size).astype(dtype)
    (x,) = leaves(images)
    turned = permute(x, order=(1, 0, *range(2, x.rank)))
    check_same([unfold(turned, **form)], [images])
    windows = int(np.prod(window_counts(size, kernel, stride, padding, dilation)))
    columns = (np.arange(2 * 3 * np.prod(kernel) * windows) % 13).reshape(2, -1, windows).astype(dtype)
    (y,) = leaves(columns)
    check_close([fold(y, size=size, **form)], [columns], 1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [("float32", "int32"), ("float32", "uint8"), ("int8", "float64"), ("uint8", "bool_"), ("complex128", "int64")],
)
def test_bytes_as_another_type(old: str, new: str) -> None:
    array = (np.arange(48) % (2 if new == "bool_" else 48)).reshape(3, 16).astype(old)
    (x,) = leaves(array)
    check_same([bitcast(x, dtype=getattr(dtypes, new))], [array])
