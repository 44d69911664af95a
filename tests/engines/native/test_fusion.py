"""Which nodes become one kernel."""

from __future__ import annotations

import numpy as np
from engines.native.graphs import check_close
from engines.native.lowered import leaves

from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import add, exp, mul, neg
from zerograd.ops.movement import broadcast_to


def test_groups_never_need_each_other() -> None:
    """The product needs the first group, which takes in a node of the second; that one cannot have the last then."""
    arrays = [np.arange(12.0).reshape(4, 3) / 12, np.arange(4.0).reshape(4, 1), np.ones((3, 1))]
    x, y, column = leaves(*arrays)
    first = exp(x)
    product = matmul(first, column)
    second = neg(y)
    into_first = add(first, broadcast_to(second, first.shape))
    into_second = mul(second, product)
    check_close([product, into_first, into_second], arrays, 1e-12)
