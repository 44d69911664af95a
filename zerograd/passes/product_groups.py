"""What is done to matrix products, and to sums, that meet others: this needs to know who uses them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from zerograd.ir.graph import Node, leaf
from zerograd.ops import reduction
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import add, mul
from zerograd.ops.movement import cat, expand, permute, reshape
from zerograd.ops.source import full
from zerograd.passes.products import is_turned, turned, turning
from zerograd.passes.reductions import axes_of
from zerograd.passes.rewrite import Builder, Graph, Replaced, Users, is_full


def turned_products(graph: Graph, order: list[Node], users: Users) -> dict[Node, Builder]:
    """(x @ y)ᵀ = yᵀ @ xᵀ, where nothing else wants x @ y: the product is written as it is wanted, row by row."""
    replaced: dict[Node, Builder] = {}
    for node in order:
        if node.op is permute and node.inputs[0].op is matmul and len(users[node.inputs[0]]) == 1:
            moved = node.attributes["order"]
            if moved[-1] == node.rank - 2:
                replaced[node] = partial(_turned_product, graph, node)
    return replaced


def _turned_product(graph: Graph, node: Node, new: Replaced) -> Node:
    x, y = [new.get(one, one) for one in node.inputs[0].inputs]
    product = graph.make(matmul, turned(graph, y), turned(graph, x))
    swap = turning(node.rank)
    return graph.permute(product, tuple([swap[axis] for axis in node.attributes["order"]]))


def gathered_products(graph: Graph, order: list[Node], users: Users) -> dict[Node, Builder]:
    """a @ x + b @ y + c @ z = cat(a, b, c) @ cat(x, y, z), where copying costs less than adding matrices.

    Weights that are used at every step of a recurrence have such gradients.
    """
    replaced: dict[Node, Builder] = {}
    for node in order:
        if node.op is add and not _within_sum(node, users):
            terms = _terms(node, users)
            products = [one for one in terms if _joins(one, users)]
            if len(products) > 2:
                rest = [one for one in terms if not _joins(one, users)]
                replaced[node] = partial(_gathered, graph, rest, products)
    return replaced


def _within_sum(node: Node, users: Users) -> bool:
    """Whether a sum is wanted as a term of another sum alone."""
    user = users[node][0]
    return len(users[node]) == 1 and user is not None and user.op is add


def _terms(node: Node, users: Users) -> list[Node]:
    """What a tree of additions adds, from left to right."""
    found: list[Node] = []
    stack = [node]
    while stack:
        one = stack.pop()
        if one.op is add and (one is node or len(users[one]) == 1):
            stack.extend(reversed(one.inputs))
        else:
            found.append(one)
    return found


def _joins(node: Node, users: Users) -> bool:
    if node.op is not matmul or node.rank != 2 or len(users[node]) != 1:
        return False
    m, n = node.shape
    shared = node.inputs[0].shape[1]
    return shared * (m + n) <= 4 * m * n  # elements to copy, against elements to add


def _gathered(graph: Graph, rest: list[Node], products: list[Node], new: Replaced) -> Node:
    """The sum, with one product for all; in the order in which its rows lie together already, if they do."""
    pairs = [tuple([new.get(one, one) for one in product.inputs]) for product in products]
    lefts, rights = [x for x, _ in pairs], [y for _, y in pairs]
    if not _lie_together(graph, lefts, rights):
        lefts.reverse()
        rights.reverse()
    total = graph.make(matmul, graph.cat(lefts, 1), graph.cat(rights, 0))
    for one in rest:
        total = graph.make(add, total, new.get(one, one))
    return total


def _lie_together(graph: Graph, lefts: list[Node], rights: list[Node]) -> bool:
    sources = [one.inputs[0] for one in lefts if is_turned(one)]
    found = [graph.known(cat, *parts, axis=0) for parts in (rights, sources) if len(parts) == len(rights)]
    return any(one is not None for one in found)


def gathered_sums(graph: Graph, order: list[Node], users: Users) -> dict[Node, Builder]:
    """sum(x) + sum(y) + sum(z) = sum(cat(x, y, z)), where these lie side by side already.

    Biases that are used at every step of a recurrence have such gradients.
    """
    replaced: dict[Node, Builder] = {}
    for node in order:
        if node.op is add and not _within_sum(node, users):
            sums = [_unshaped(one) for one in _terms(node, users)]
            together = _side_by_side(graph, sums) if len(sums) > 2 else None
            if together in users:
                replaced[node] = partial(_gathered_sum, graph, node, together, sums[0].attributes)
    return replaced


def _unshaped(node: Node) -> Node:
    return node.inputs[0] if node.op is reshape else node


def _side_by_side(graph: Graph, sums: list[Node]) -> Node | None:
    """What is summed, side by side along the first reduced axis, if that is known."""
    if any(one.op is not reduction.sum or one.attributes != sums[0].attributes for one in sums):
        return None
    parts = [one.inputs[0] for one in sums]
    axis = axes_of(sums[0])[0]
    return graph.known(cat, *parts, axis=axis) or graph.known(cat, *parts[::-1], axis=axis)


def _gathered_sum(graph: Graph, node: Node, together: Node, attributes: dict[str, Any], new: Replaced) -> Node:
    total = graph.node(reduction.sum, (new.get(together, together),), attributes)
    return graph.reshape(total, node.shape)


def products_of_parts(graph: Graph, order: list[Node], users: Users) -> dict[Node, Builder]:
    """x @ w and y @ w are parts of cat(x, y) @ w, where that cat of data is there anyway.

    So the inputs of all steps of a recurrence are multiplied at once; the cat is there for the weights' gradient.
    """
    replaced: dict[Node, Builder] = {}
    for node in order:
        if node.op is not cat or node.attributes["axis"] or any(one.op is not leaf for one in node.inputs):
            continue
        for user in users[node.inputs[0]]:
            if user is not None and user.op is matmul and user.rank == 2:
                products = [graph.known(matmul, one, user.inputs[1]) for one in node.inputs]
                if all(one in users for one in products):
                    replaced |= _parts_of(graph, node, user.inputs[1], products)
    return replaced


def _parts_of(graph: Graph, rows: Node, y: Node, products: Sequence[Node | None]) -> dict[Node, Builder]:
    """How to make each of the products as a slice of the one of all rows."""
    builders: dict[Node, Builder] = {}
    start = 0
    for one in products:
        assert one is not None
        stop = start + one.shape[0]
        builders[one] = partial(_part_of, graph, rows, y, (start, stop))
        start = stop
    return builders


def _part_of(graph: Graph, rows: Node, y: Node, place: tuple[int, int], new: Replaced) -> Node:
    product = graph.make(matmul, rows, new.get(y, y))
    return graph.slice(product, (place[0], 0), (place[1], product.shape[1]), (1, 1))


# --- products that are none --------------------------------------------------------------------------------
# After sums of products have been gathered: there they are terms like others.


def special_products(graph: Graph, order: list[Node], users: Users) -> dict[Node, Builder]:
    """Products of equal rows or columns are computed once, products with ones are sums, outer products elementwise."""
    found = [node for node in order if node.op is matmul and _special(graph, node) is not None]
    return {node: partial(_special_product, graph, node) for node in found}


def _special_product(graph: Graph, node: Node, new: Replaced) -> Node:
    return _finished(graph, *[new.get(one, one) for one in node.inputs])


def _finished(graph: Graph, x: Node, y: Node) -> Node:
    product = graph.make(matmul, x, y)
    special = _special(graph, product)
    return product if special is None else special


def _special(graph: Graph, node: Node) -> Node | None:
    if node.op is not matmul or not node.type.count or not node.inputs[0].type.count:
        return None
    return _of_equal_rows(graph, node) or _with_ones(graph, node) or _outer(graph, node)


def _of_equal_rows(graph: Graph, node: Node) -> Node | None:
    """expand(x) @ y = expand(x @ y), if the rows of the left operand are equal; so with the columns of the right one"""
    x, y = node.inputs
    if node.shape[-2] > 1 and (row := _first_of_equal(graph, x, x.rank - 2)) is not None:
        return graph.expand(_finished(graph, row, y), node.shape)
    if node.shape[-1] > 1 and (column := _first_of_equal(graph, y, y.rank - 1)) is not None:
        return graph.expand(_finished(graph, x, column), node.shape)
    return None


def _first_of_equal(graph: Graph, x: Node, axis: int) -> Node | None:
    """One of the slices of an axis along which they are equal, if it is plain to see that they are."""
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    if x.op is full:
        return graph.full(x.attributes["fill"], x.type.with_shape(shape))
    return graph.expand(x.inputs[0], shape) if x.op is expand and x.inputs[0].shape[axis] == 1 else None


def _with_ones(graph: Graph, node: Node) -> Node | None:
    """ones[1, k] @ x = sum(x) over its rows; x @ ones[k, 1] = sum(x) over its columns"""
    x, y = node.inputs
    if is_full(x, 1) and x.shape[-2] == 1:
        return graph.make(reduction.sum, y, axes=(y.rank - 2,))
    return graph.make(reduction.sum, x, axes=(x.rank - 1,)) if is_full(y, 1) and y.shape[-1] == 1 else None


def _outer(graph: Graph, node: Node) -> Node | None:
    """x[m, 1] @ y[1, n] = expand(x) * expand(y)"""
    x, y = node.inputs
    if x.shape[-1] != 1:
        return None
    return graph.make(mul, graph.expand(x, node.shape), graph.expand(y, node.shape))
