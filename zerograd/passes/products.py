"""Rules of matrix products that need no batch, and of rows of tables."""

from __future__ import annotations

from zerograd.ir.graph import Node
from zerograd.ops import reduction
from zerograd.ops.contraction import matmul
from zerograd.ops.indexing import index, index_write
from zerograd.ops.movement import expand, permute
from zerograd.passes.reductions import axes_of
from zerograd.passes.rewrite import Graph, Rules
from zerograd.shapes import Shape, count

rules = Rules()


def turning(rank: int) -> Shape:
    """The order that swaps the last two axes."""
    return (*range(rank - 2), rank - 1, rank - 2)


def turned(graph: Graph, x: Node) -> Node:
    return graph.permute(x, turning(x.rank))


def is_turned(x: Node) -> bool:
    return x.op is permute and x.attributes["order"] == turning(x.rank)


@rules.on(matmul)
def product_without_batch(graph: Graph, node: Node) -> Node | None:
    """A batch of one product is one product."""
    x, y = node.inputs
    batch = x.shape[:-2]
    if not batch or count(batch) != 1:
        return None
    single = graph.make(matmul, graph.reshape(x, x.shape[-2:]), graph.reshape(y, y.shape[-2:]))
    return graph.reshape(single, node.shape)


@rules.on(matmul, of=expand)
def product_with_one_matrix(graph: Graph, node: Node) -> Node | None:
    """x[b, m, k] @ expand(y[1, k, n]) = reshape(reshape(x) @ y): one product of b * m rows"""
    x, y = node.inputs
    if node.rank < 3 or not node.type.count or y.op is not expand or x.op is expand or is_turned(x):
        return None
    if count(y.inputs[0].shape[:-2]) != 1 or y.inputs[0].shape[-2:] != y.shape[-2:]:
        return None
    rows = graph.reshape(x, (count(x.shape[:-1]), x.shape[-1]))
    single = graph.make(matmul, rows, graph.reshape(y.inputs[0], y.shape[-2:]))
    return graph.reshape(single, node.shape)


@rules.on(reduction.sum, of=matmul)
def sum_of_products(graph: Graph, node: Node) -> Node | None:
    """The sum over a batch of xᵀ @ y is one product, of which the batch is part of the shared axis."""
    (product,) = node.inputs
    if product.op is not matmul or not product.type.count or axes_of(node) != tuple(range(product.rank - 2)):
        return None
    x, y = product.inputs
    if not is_turned(x):
        return None
    (x,) = x.inputs
    left = graph.reshape(x, (count(x.shape[:-1]), x.shape[-1]))
    right = graph.reshape(y, (count(y.shape[:-1]), y.shape[-1]))
    return graph.reshape(graph.make(matmul, turned(graph, left), right), node.shape)


# --- rows of tables ----------------------------------------------------------------------------------------


@rules.on(index)
def places_in_a_row(graph: Graph, node: Node) -> Node | None:
    """x[places] = reshape(x[reshape(places)]) with the places in one row"""
    x, places = node.inputs
    if places.rank < 2:
        return None
    return graph.reshape(graph.make(index, x, graph.reshape(places, (places.type.count,))), node.shape)


@rules.on(index_write)
def written_places_in_a_row(graph: Graph, node: Node) -> Node | None:
    """The same for writing."""
    x, values, places = node.inputs
    if places.rank < 2 or not places.type.count:
        return None
    n = places.type.count
    values = graph.reshape(values, (n, *x.shape[1:]))
    return graph.node(index_write, (x, values, graph.reshape(places, (n,))), node.attributes)
