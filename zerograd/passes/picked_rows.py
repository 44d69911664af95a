"""Rows picked from a small table: what is done to each row is done to the rows of the table, of which there are fewer.

So it is where an embedding of few words is an operand of a product: a model of characters multiplies 65 rows instead of
one for each character of the batch. The other way round, what comes back to the rows is added up first:

    table[places] @ w                           = (table @ w)[places]
    xᵀ @ table[places]                          = (sum of x's rows by place)ᵀ @ table
    sum by place of the rows of x @ w           = (sum of x's rows by place) @ w

Rows of the table that are not picked may hold anything, infinities too: they count as 0.
"""

from __future__ import annotations

from zerograd import dtypes
from zerograd.ir.graph import Node, TensorType
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import add, ne, where
from zerograd.ops.indexing import index, index_write
from zerograd.ops.movement import expand, inverse, permute, reshape
from zerograd.passes.products import is_turned, turned
from zerograd.passes.rewrite import Graph, Rules, is_full

rules = Rules()
WORTH = 4  # so many times more rows are picked than the table has
_SUMMED = (dtypes.float32, dtypes.float64)  # in 16 bits partial sums would be rounded


def _moves(x: Node) -> tuple[Node, list[Node]]:
    """What rows are taken from when they are only put in another order, and how, the last move first."""
    moves: list[Node] = []
    while x.rank and x.type.count:
        kept = x.op is permute and x.attributes["order"][-1] == x.rank - 1
        if not kept and not (x.op is reshape and x.inputs[0].rank and x.inputs[0].shape[-1] == x.shape[-1]):
            break
        moves.append(x)
        (x,) = x.inputs
    return x, moves


def _picked(graph: Graph, x: Node) -> tuple[Node, Node] | None:
    """(table, places) of a matrix that consists of rows of a table, many times more than there are."""
    base, moves = _moves(x)
    if base.op is not index or base.rank != 2 or x.rank != 2:
        return None
    table, places = base.inputs
    if table.shape[0] * WORTH > places.type.count:
        return None
    for move in reversed(moves):
        if move.op is permute:
            places = graph.permute(places, move.attributes["order"][:-1])
        else:
            places = graph.reshape(places, move.shape[:-1])
    return table, places


def _summed(graph: Graph, x: Node, places: Node, size: int) -> Node:
    """The sums of the rows of ``x`` that have the same place."""
    zeros = graph.full(0, TensorType((size, *x.shape[1:]), x.dtype))
    return graph.make(index_write, zeros, x, places, accumulate=True)


def _where_picked(graph: Graph, x: Node, places: Node) -> Node:
    """The rows of ``x`` that are picked at all, 0 for others."""
    ones = graph.full(1, TensorType((places.shape[0], 1), x.dtype))
    counts = _summed(graph, ones, places, x.shape[0])
    some = graph.make(ne, counts, graph.full(0, counts.type))
    return graph.make(where, graph.expand(some, x.shape), x, graph.full(0, x.type))


@rules.on(matmul, of=(index, reshape))
def product_of_picked_rows(graph: Graph, node: Node) -> Node | None:
    """table[places] @ w = (table @ w)[places]"""
    x, w = node.inputs
    found = _picked(graph, x) if node.rank == 2 else None
    if found is None:
        return None
    table, places = found
    return graph.make(index, graph.make(matmul, table, w), places)


@rules.on(matmul, of=permute)
def product_with_picked_rows(graph: Graph, node: Node) -> Node | None:
    """xᵀ @ table[places] = (sums of x by place)ᵀ @ table, and table[places]ᵀ @ x likewise"""
    left, right = node.inputs
    if node.rank != 2 or not is_turned(left) or node.dtype not in _SUMMED:
        return None
    (left,) = left.inputs
    for x, rows in ((left, right), (right, left)):
        found = _picked(graph, rows)
        if found is not None:
            table, places = found
            parts = _summed(graph, x, places, table.shape[0]), _where_picked(graph, table, places)
            first, second = parts if rows is right else parts[::-1]
            return graph.make(matmul, turned(graph, first), second)
    return None


@rules.on(index_write, of=(matmul, reshape))
def sums_of_products_by_place(graph: Graph, node: Node) -> Node | None:
    """0 + the rows of x @ w at their places = (sums of x by place) @ w"""
    target, values, places = node.inputs
    product, moves = _moves(values)
    if not node.attributes["accumulate"] or product.op is not matmul or not is_full(target, 0):
        return None
    many = places.rank == 1 and places.type.count >= WORTH * target.shape[0]
    if not many or product.rank != 2 or values.rank != 2 or node.dtype not in _SUMMED:
        return None
    for move in moves:
        if move.op is permute:
            places = graph.permute(places, inverse(move.attributes["order"])[:-1])
        else:
            places = graph.reshape(places, move.inputs[0].shape[:-1])
    x, w = product.inputs
    return _where_picked(graph, graph.make(matmul, _summed(graph, x, places, target.shape[0]), w), places)


@rules.on(add, of=index)
def sum_with_picked_rows(graph: Graph, node: Node) -> Node | None:
    """table[places] + one row for all = (table + the row)[places]"""
    for rows, other in (node.inputs, node.inputs[::-1]):
        single = other.op is expand and rows.op is index and other.inputs[0].shape == (1, node.shape[-1])
        if single and node.rank == 2:
            found = _picked(graph, rows)
            if found is not None:
                table, places = found
                return graph.make(index, graph.make(add, table, graph.expand(other.inputs[0], table.shape)), places)
    return None


__all__ = ["rules"]
