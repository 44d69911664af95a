"""Results that are written over operands nobody needs any more."""

from __future__ import annotations

import numpy as np
from engines.native.lowered import leaves

from zerograd import dtypes
from zerograd.engines.native import program
from zerograd.ops.elementwise import mul
from zerograd.ops.movement import bitcast, reshape


def test_result_has_its_own_shape() -> None:
    (x,) = leaves(np.empty((20, 30), np.float32))
    line = reshape(x, shape=(600,))
    made = program.compile((mul(line, line),))
    (found,) = made([np.full((20, 30), 3, np.float32)])
    np.testing.assert_array_equal(found, np.full(600, 9, np.float32))


def test_result_has_its_own_dtype() -> None:
    (x,) = leaves(np.empty(600, np.float32))
    made = program.compile((bitcast(x, dtype=dtypes.int32),))
    (found,) = made([np.ones(600, np.float32)])
    np.testing.assert_array_equal(found, np.full(600, 0x3F800000, np.int32))
