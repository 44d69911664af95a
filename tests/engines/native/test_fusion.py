"""Which nodes become one kernel."""

from __future__ import annotations

import numpy as np
from engines.native.graphs import check_close
from engines.native.lowered import leaves

import zerograd as torch
from zerograd.engines import reference
from zerograd.engines.native import program
from zerograd.engines.native.lower import Lowering
from zerograd.ir.record import recorder
from zerograd.ir.traverse import topological
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import add, exp, mul, neg
from zerograd.ops.movement import broadcast_to
from zerograd.passes import pipeline


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


def test_numbers_of_the_program_are_converted_by_the_kernels_that_read_them() -> None:
    """Also where the converted number itself is wanted, or what reads it is no kernel of rows."""
    x = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    scaled = x * 0.3 + 0.7
    (sum_node,) = pipeline.run((scaled._node(),))
    numbers = [node for node in topological([sum_node]) if node.op.name == "cast"]
    assert len(numbers) == 2
    assert len(Lowering((sum_node,)).steps) == 1
    product = matmul(sum_node, broadcast_to(numbers[0], (3, 2)))
    outputs = (sum_node, product, *numbers)
    data = list(recorder.own.trace.leaves)
    for found, expected in zip(program.compile(outputs)(data), reference.compile(outputs)(data), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
