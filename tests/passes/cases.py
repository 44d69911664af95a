"""For each rule a graph that it simplifies, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from passes.expressions import an_input

from zerograd import dtypes
from zerograd.ir.graph import Node, variable
from zerograd.ops import bitwise, indexing, reduction, scan
from zerograd.ops.activation import gelu, gelu_slope, gelu_tanh, gelu_tanh_slope, silu, silu_slope
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import abs as abs_
from zerograd.ops.elementwise import (
    add,
    cast,
    clamp,
    clamp_min,
    conjugate,
    copy,
    div,
    eq,
    exp,
    lerp,
    mul,
    neg,
    square,
    stop,
    sub,
    tanh,
    where,
)  # fmt: skip
from zerograd.ops.elementwise import pow as power
from zerograd.ops.movement import cat, expand, flip, overwrite, permute, reshape, slice_, slice_write
from zerograd.ops.normalization import standardized
from zerograd.ops.softmax import log_softmax, softmax
from zerograd.ops.source import filled, ones_like
from zerograd.ops.transcendental import logit, root

a, b = an_input(0, (2, 3)), an_input(1, (2, 3))
v = an_input(2, (1, 3))
c = an_input(3, (2, 3), dtypes.bool_)
column = an_input(4, (2, 1))
cube = an_input(5, (2, 3, 4))
rows = an_input(5, (6, 4))
places = an_input(6, (2, 1), dtypes.int64)
half, places_of_half = an_input(8, (2, 3), dtypes.float16), an_input(9, (2, 3), dtypes.int64)
number = an_input(7, (), dtypes.float32, weak=True)
words, chosen = an_input(0, (3, 2)), an_input(6, (12,), dtypes.int64)  # a table, and more places than it has rows
chosen_rows = an_input(5, (12, 3))


def full(fill: Any, like: Node = a) -> Node:
    return filled(fill, like.type)


def turned_pairs(x: Node) -> Node:
    """Twelve rows of two as [4, 3], in the order of [3, 4]."""
    return reshape(permute(reshape(x, shape=(4, 3, 2)), order=(1, 0, 2)), shape=(12, 2))


def part(x: Node, *box: tuple[int, int]) -> Node:
    return slice_(x, starts=tuple(m for m, _ in box), stops=tuple(n for _, n in box), steps=(1,) * len(box))


def written(x: Node, value: Node, *box: tuple[int, int]) -> Node:
    starts, stops = tuple(m for m, _ in box), tuple(n for _, n in box)
    return slice_write(x, value, starts=starts, stops=stops, steps=(1,) * len(box))


def row(x: Node, i: int) -> Node:
    return part(x, (i, i + 1), (0, 3))


def spread(x: Node) -> Node:
    return expand(x, shape=(2, 3))


def flat(x: Node) -> Node:
    return reshape(x, shape=(x.type.count,))


def turn(x: Node) -> Node:
    return permute(x, order=(*range(x.rank - 2), x.rank - 1, x.rank - 2))


def sum_(x: Node, *axes: int) -> Node:
    return reduction.sum(x, axes=axes)


STEP = "tanh(mul(add(a, mul(mul(a, mul(a, a)), 0.044715)), 0.7978845608028654))"  # of gelu_tanh
CASES: dict[str, tuple[Callable[[], Node], str]] = {
    # bookkeeping
    "history_vanishes": (lambda: tanh(stop(copy(variable(a, index=0)))), "tanh(a)"),
    "overwrite_is_new": (lambda: overwrite(a, tanh(b)), "tanh(b)"),
    # arithmetic
    "constants_fold": (lambda: mul(a, add(full(1), full(2))), "mul(a, 3.0)"),
    "add_zero": (lambda: add(add(full(0), a), full(0)), "a"),
    "add_neg": (lambda: add(a, expand(neg(v), shape=(2, 3))), "sub(a, expand(v))"),
    "sub_zero": (lambda: sub(a, full(0)), "a"),
    "sub_neg": (lambda: sub(a, neg(b)), "add(a, b)"),
    "neg_neg": (lambda: neg(neg(a)), "a"),
    "neg_of_multiple": (lambda: neg(mul(a, full(3))), "mul(a, -3.0)"),
    "mul_neg": (lambda: mul(neg(a), neg(b)), "mul(a, b)"),
    "div_neg": (lambda: add(a, div(neg(a), b)), "sub(a, div(a, b))"),
    "mul_minus_one": (lambda: mul(a, full(-1)), "neg(a)"),
    "even_of_neg": (lambda: abs_(neg(a)), "abs(a)"),
    "conjugate_conjugate": (
        lambda: conjugate(conjugate(cast(a, dtype=dtypes.complex128))),
        "cast(a, dtype=torch.complex128)",
    ),
    "mul_one": (lambda: mul(full(1), a), "a"),
    "constant_second": (lambda: mul(full(3), a), "mul(a, 3.0)"),
    "div_one": (
        lambda: div(cast(a, dtype=dtypes.complex128), ones_like(cast(a, dtype=dtypes.complex128))),
        "cast(a, dtype=torch.complex128)",
    ),
    "div_power_of_two": (lambda: div(a, full(4)), "mul(a, 0.25)"),
    "mul_constants": (lambda: mul(mul(a, full(3)), full(0.5)), "mul(a, 1.5)"),
    "constants_leave_products": (lambda: mul(mul(a, full(2)), mul(b, full(4))), "mul(mul(a, b), 8.0)"),
    "constants_go_to_the_smaller": (
        lambda: mul(mul(a, spread(v)), full(2)),
        "mul(a, expand(mul(v, 2.0)))",
    ),
    "small_powers": (lambda: power(a, full(2)), "mul(a, a)"),
    "cast_of_moved_number": (
        lambda: cast(expand(reshape(number, shape=(1,)), shape=(3,)), dtype=dtypes.float64),
        "expand(reshape(cast(number, dtype=torch.float64), shape=(1,)))",
    ),
    "cast_to_itself": (lambda: cast(a, dtype=dtypes.float64), "a"),
    "cast_of_wider": (
        lambda: cast(cast(cast(a, dtype=dtypes.float32), dtype=dtypes.float64), dtype=dtypes.float32),
        "cast(a, dtype=torch.float32)",
    ),
    # conditions
    "where_decided": (lambda: where(filled(True, c.type), a, b), "a"),
    "where_equal": (lambda: where(c, a, a), "a"),
    "where_not": (lambda: where(bitwise.bit_not(c), a, b), "where(c, b, a)"),
    "where_of_truth": (lambda: where(c, eq(a, b), filled(False, c.type)), "bit_and(c, eq(a, b))"),
    "truth_twice": (lambda: bitwise.bit_and(c, bitwise.bit_and(c, c)), "c"),
    "not_not": (lambda: bitwise.bit_not(eq(a, b)), "ne(a, b)"),
    "where_inside_where": (lambda: where(c, mul(a, where(c, b, full(0))), full(0)), "where(c, mul(a, b), 0.0)"),
    "choices_meet": (lambda: add(where(c, a, full(0)), where(c, full(0), b)), "where(c, a, b)"),
    "wrap_wrap": (lambda: indexing.wrap(indexing.wrap(places, size=3), size=3), "wrap(places, size=3)"),
    # movements
    "moved_constant": (lambda: permute(filled(2, cube.type), order=(2, 0, 1)), "2.0"),
    "nothing_moves": (lambda: tanh(part(a, (0, 2), (0, 3))), "tanh(a)"),
    "last_shape_counts": (lambda: reshape(reshape(a, shape=(3, 2)), shape=(6,)), "reshape(a, shape=(6,))"),
    "reshape_expand": (
        lambda: reshape(expand(v, shape=(4, 3)), shape=(2, 2, 3)),
        "expand(reshape(v, shape=(1, 1, 3)))",
    ),
    "flip_flip": (lambda: flip(flip(a, axes=(0, 1)), axes=(1, 0)), "a"),
    "flip_expand": (lambda: flip(spread(v), axes=(0, 1)), "expand(flip(v, axes=(0, 1)))"),
    "permute_permute": (
        lambda: permute(permute(cube, order=(1, 2, 0)), order=(1, 2, 0)),
        "permute(cube, order=(2, 0, 1))",
    ),
    "permute_of_single_axes": (lambda: permute(column, order=(1, 0)), "reshape(column, shape=(1, 2))"),
    "permute_of_single_axes_added": (
        lambda: permute(reshape(a, shape=(2, 1, 3)), order=(2, 1, 0)),
        "reshape(permute(a, order=(1, 0)), shape=(3, 1, 2))",
    ),
    "permute_expand": (lambda: permute(spread(v), order=(1, 0)), "expand(reshape(v, shape=(3, 1)))"),
    "cat_expand": (lambda: cat(spread(column), spread(column), axis=0), "expand(cat(column, column, axis=0))"),
    "cat_permute": (lambda: cat(turn(a), turn(b), axis=1), "permute(cat(a, b, axis=0), order=(1, 0))"),
    # parts
    "slice_slice": (lambda: part(part(a, (0, 2), (1, 3)), (1, 2), (1, 2)), "a[1:2, 2:3]"),
    "slice_expand": (lambda: part(spread(v), (0, 2), (1, 3)), "expand(v[0:1, 1:3])"),
    "slice_permute": (lambda: part(turn(a), (1, 3), (0, 2)), "permute(a[0:2, 1:3], order=(1, 0))"),
    "slice_cat": (lambda: part(cat(a, b, axis=0), (2, 3), (0, 2)), "b[0:1, 0:2]"),
    "slice_of_write": (
        lambda: add(row(written(a, v, (1, 2), (0, 3)), 1), row(written(a, v, (1, 2), (0, 3)), 0)),
        "add(v, a[0:1, 0:3])",
    ),
    "write_of_everything": (lambda: written(a, b, (0, 2), (0, 3)), "b"),
    "write_over_write": (
        lambda: written(written(a, v, (1, 2), (0, 3)), row(b, 0), (1, 2), (0, 3)),
        "write(a, [1:2, 0:3], b[0:1, 0:3])",
    ),
    "write_what_was_read": (lambda: written(a, row(a, 1), (1, 2), (0, 3)), "a"),
    "write_constant": (lambda: written(full(0), filled(0, v.type), (1, 2), (0, 3)), "0.0"),
    "writes_tile": (
        lambda: written(written(full(0), v, (1, 2), (0, 3)), row(b, 0), (0, 1), (0, 3)),
        "cat(b[0:1, 0:3], v, axis=0)",
    ),
    "add_of_parts": (
        lambda: add(written(full(0), v, (0, 1), (0, 3)), written(full(0), row(b, 0), (1, 2), (0, 3))),
        "cat(v, b[0:1, 0:3], axis=0)",
    ),
    "add_in_one_place": (
        lambda: add(written(full(0), v, (0, 1), (0, 3)), written(a, row(b, 0), (0, 1), (0, 3))),
        "write(a, [0:1, 0:3], add(v, b[0:1, 0:3]))",
    ),
    "cat_of_one": (lambda: cat(a, part(b, (0, 0), (0, 3)), axis=0), "a"),
    "cat_cat": (lambda: cat(cat(a, v, axis=0), b, axis=0), "cat(a, v, b, axis=0)"),
    "cat_of_neighbours": (lambda: cat(part(a, (0, 2), (0, 1)), part(a, (0, 2), (1, 3)), axis=1), "a"),
    "cat_of_rows": (
        lambda: cat(reshape(a, shape=(1, 2, 3)), reshape(b, shape=(1, 2, 3)), axis=0),
        "reshape(cat(a, b, axis=0), shape=(2, 2, 3))",
    ),
    # reductions
    "reduction_of_single_axes": (lambda: sum_(v, 0, 1), "sum(v, axes=(1,))"),
    "reduction_of_nothing": (lambda: reduction.prod(part(a, (0, 0), (0, 3)), axis=0), "1.0"),
    "extreme_and_its_place": (lambda: reduction.max_at(a, axis=1)[0], "max(a, axes=(1,))"),
    "extreme_of_truth": (lambda: reduction.max(c, axes=(1,)), "any(c, axes=(1,))"),
    "place_is_least_index": (
        lambda: reduction.argmax(a, axis=1),
        "cast(min(where(bit_or(eq(a, expand(max(a, axes=(1,)))), ne(a, a)), "
        "expand(reshape(iota(size=3), shape=(1, 3))), 3), axes=(1,)), dtype=torch.int64)",
    ),
    "reduction_in_order": (lambda: sum_(a, 1, 0), "sum(a, axes=(0, 1))"),
    "scan_of_single_axis": (lambda: scan.cumsum(v, axis=0), "v"),
    "place_on_single_axis": (lambda: reduction.argmax(v, axis=0), "0"),
    "reduction_twice": (lambda: sum_(sum_(a, 1), 0), "sum(a, axes=(0, 1))"),
    "extreme_of_constant": (lambda: reduction.max(full(2), axes=(0,)), "2.0"),
    "sum_of_constant": (lambda: sum_(full(2), 0, 1), "12.0"),
    "reduction_of_expand": (lambda: sum_(expand(v, shape=(5, 3)), 0), "mul(v, 5.0)"),
    "sum_of_neg": (lambda: sum_(neg(a), 0), "neg(sum(a, axes=(0,)))"),
    "reduction_of_permute": (
        lambda: sum_(permute(cube, order=(2, 1, 0)), 0),
        "permute(sum(cube, axes=(2,)), order=(2, 1, 0))",
    ),
    "reduction_of_reshape": (
        lambda: sum_(reshape(cube, shape=(6, 4)), 0),
        "reshape(sum(cube, axes=(0, 1)), shape=(1, 4))",
    ),
    # products
    "product_without_batch": (
        lambda: matmul(reshape(a, shape=(1, 2, 3)), reshape(turn(b), shape=(1, 3, 2))),
        "reshape(matmul(a, permute(b, order=(1, 0))), shape=(1, 2, 2))",
    ),
    "product_with_one_matrix": (
        lambda: matmul(cube, expand(reshape(part(cube, (0, 1), (0, 2), (0, 4)), shape=(1, 4, 2)), shape=(2, 4, 2))),
        ("reshape(matmul(reshape(cube, shape=(6, 4)), reshape(cube[0:1, 0:2, 0:4], shape=(4, 2))), shape=(2, 3, 2))"),
    ),
    "sum_of_products": (
        lambda: sum_(matmul(turn(cube), cube), 0),
        (
            "reshape(matmul(permute(reshape(cube, shape=(6, 4)), order=(1, 0)), reshape(cube, shape=(6, "
            "4))), shape=(1, 4, 4))"
        ),
    ),
    "places_in_a_row": (
        lambda: indexing.index(a, places),
        "reshape(index(a, reshape(places, shape=(2,))), shape=(2, 1, 3))",
    ),
    "written_places_in_a_row": (
        lambda: indexing.index_write(a, reshape(b, shape=(2, 1, 3)), places, accumulate=True),
        "index_write(a, b, reshape(places, shape=(2,)), accumulate=True)",
    ),
    # towards the results
    "expand_after_elementwise": (
        lambda: add(tanh(spread(v)), tanh(spread(v))),
        "expand(add(tanh(v), tanh(v)))",
    ),
    "reshape_after_elementwise": (
        lambda: tanh(reshape(tanh(a), shape=(2, 1, 3))),
        "reshape(tanh(tanh(a)), shape=(2, 1, 3))",
    ),
    "reshape_after_slice": (
        lambda: reshape(part(reshape(rows, shape=(2, 3, 4)), (1, 2), (0, 3), (0, 4)), shape=(3, 4)),
        "cube[3:6, 0:4]",
    ),
    "reshape_after_cat": (
        lambda: cat(reshape(tanh(flat(a)), shape=(6, 1)), reshape(tanh(flat(b)), shape=(6, 1)), axis=0),
        "reshape(cat(tanh(reshape(a, shape=(6,))), tanh(reshape(b, shape=(6,))), axis=0), shape=(12, 1))",
    ),
    "cat_of_reshaped": (
        lambda: cat(reshape(cube, shape=(2, 4, 3)), reshape(cube, shape=(2, 4, 3)), axis=2),
        "reshape(cat(reshape(cube, shape=(8, 3)), reshape(cube, shape=(8, 3)), axis=1), shape=(2, 4, 6))",
    ),
    # picked rows
    "product_of_picked_rows": (
        lambda: matmul(turned_pairs(indexing.index(words, chosen)), b),
        "index(matmul(a, b), reshape(permute(reshape(places, shape=(4, 3)), order=(1, 0)), shape=(12,)))",
    ),
    "product_with_picked_rows": (
        lambda: matmul(permute(chosen_rows, order=(1, 0)), indexing.index(words, chosen)),
        (
            "matmul(permute(index_write(0.0, cube, places, accumulate=True), order=(1, 0)), "
            "where(expand(ne(index_write(0.0, 1.0, places, accumulate=True), 0.0)), a, 0.0))"
        ),
    ),
    "sums_of_products_by_place": (
        lambda: indexing.index_write(
            full(0, words), matmul(chosen_rows, permute(b, order=(1, 0))), chosen, accumulate=True
        ),
        (
            "where(expand(ne(index_write(0.0, 1.0, places, accumulate=True), 0.0)), "
            "matmul(index_write(0.0, cube, places, accumulate=True), permute(b, order=(1, 0))), 0.0)"
        ),
    ),
    "sum_with_picked_rows": (
        lambda: add(indexing.index(words, chosen), expand(an_input(2, (1, 2)), shape=(12, 2))),
        "index(add(a, expand(v)), places)",
    ),
    # places
    "gather_in_arithmetic": (
        lambda: indexing.gather(sub(a, spread(column)), places, axis=1),
        "sub(gather(a, places, axis=1), column)",
    ),
    "gather_is_choice": (
        lambda: indexing.gather(tanh(a), places, axis=1),
        (
            "max(where(eq(expand(wrap(places, size=3)), expand(reshape(iota(size=3), shape=(1, 3)))), "
            "tanh(a), -inf), axes=(1,))"
        ),
    ),
    "scatter_is_choice": (
        lambda: indexing.scatter_add(full(0), places, column, axis=1),
        ("where(eq(expand(wrap(places, size=3)), expand(reshape(iota(size=3), shape=(1, 3)))), expand(column), 0.0)"),
    ),
    "nothing_written": (
        lambda: indexing.scatter(a, part(places, (0, 2), (0, 0)), part(b, (0, 2), (0, 0)), axis=1),
        "a",
    ),
    "places_in_part": (
        lambda: indexing.gather(rows, places_of_half, axis=1),
        "gather(cube[0:2, 0:4], places_of_half, axis=1)",
    ),
    "halves_meet_in_single": (
        lambda: indexing.scatter_fold(half, places_of_half, half, axis=1, kind="max"),
        "cast(scatter_fold(cast(half, dtype=torch.float32), places_of_half, cast(half, dtype=torch.float32), axis=1, "
        "kind=max), dtype=torch.float16)",
    ),
    "sum_of_written": (lambda: sum_(indexing.scatter_add(full(0), places, column, axis=1), 1), "column"),
    # composites
    "square_is_product": (lambda: square(a), "mul(a, a)"),
    "root_is_sqrt": (lambda: root(a), "sqrt(a)"),
    "clamp_is_two_choices": (lambda: clamp(a, full(-1), b), "minimum(maximum(a, -1.0), b)"),
    "clamp_is_choice": (lambda: clamp_min(a, b), "maximum(a, b)"),
    "gelu_is_composed": (lambda: gelu(a), "mul(mul(a, add(erf(mul(a, 0.7071067811865476)), 1.0)), 0.5)"),
    "gelu_slope_is_composed": (
        lambda: gelu_slope(a),
        "add(mul(add(erf(mul(a, 0.7071067811865476)), 1.0), 0.5), "
        "mul(mul(a, 0.3989422804014327), exp(mul(mul(a, a), -0.5))))",
    ),
    "gelu_tanh_is_composed": (lambda: gelu_tanh(a), f"mul(mul(a, add({STEP}, 1.0)), 0.5)"),
    "gelu_tanh_slope_is_composed": (
        lambda: gelu_tanh_slope(a),
        f"add(mul(add({STEP}, 1.0), 0.5), mul(mul(mul(a, sub(1.0, mul({STEP}, {STEP}))), "
        "add(mul(mul(a, a), 0.10703222440890037), 0.7978845608028654)), 0.5))",
    ),
    "silu_is_composed": (lambda: silu(a), "mul(a, sigmoid(a))"),
    "silu_slope_is_composed": (lambda: silu_slope(a), "mul(sigmoid(a), add(mul(a, sub(1.0, sigmoid(a))), 1.0))"),
    "logit_is_composed": (lambda: logit(a), "log(div(a, sub(1.0, a)))"),
    "lerp_is_composed": (
        lambda: lerp(a, b, spread(v)),
        (
            "where(expand(lt(abs(v), 0.5)), add(a, mul(expand(v), sub(b, a))), sub(b, mul(sub(b, a), "
            "expand(sub(1.0, v)))))"
        ),
    ),
    "standardized_is_composed": (
        lambda: standardized(a, column, column, axes=(1,)),
        "mul(sub(a, expand(column)), expand(column))",
    ),
    "softmax_is_composed": (
        lambda: softmax(a, axis=1),
        ("div(exp(sub(a, expand(max(a, axes=(1,))))), expand(sum(exp(sub(a, expand(max(a, axes=(1,))))), axes=(1,))))"),
    ),
    "log_softmax_is_composed": (
        lambda: log_softmax(a, axis=1),
        ("sub(sub(a, expand(max(a, axes=(1,)))), expand(log(sum(exp(sub(a, expand(max(a, axes=(1,))))), axes=(1,)))))"),
    ),
    "exp_of_log_softmax": (
        lambda: exp(log_softmax(a, axis=1)),
        ("div(exp(sub(a, expand(max(a, axes=(1,))))), expand(sum(exp(sub(a, expand(max(a, axes=(1,))))), axes=(1,))))"),
    ),
    "logsumexp_is_composed": (
        lambda: reduction.logsumexp(a, axes=(0, 1)),
        (
            "add(log(sum(exp(sub(a, expand(where(lt(abs(max(a, axes=(0, 1))), inf), max(a, axes=(0, 1)), "
            "0.0)))), axes=(0, 1))), where(lt(abs(max(a, axes=(0, 1))), inf), max(a, axes=(0, 1)), 0.0))"
        ),
    ),
    "var_is_composed": (
        lambda: reduction.var(a, axes=(1,), correction=1),
        (
            "mul(sum(mul(sub(a, expand(div(sum(a, axes=(1,)), 3.0))), sub(a, expand(div(sum(a, axes=(1,)), "
            "3.0)))), axes=(1,)), 0.5)"
        ),
    ),
    "norm_is_composed": (lambda: reduction.norm(a, axes=(1,), p=math.inf), "max(abs(a), axes=(1,))"),
}
