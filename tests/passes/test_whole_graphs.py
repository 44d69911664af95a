"""What needs to know all users of a node; outputs that are leaves, constants or each other; errors that stay."""

from __future__ import annotations

import numpy as np
import pytest
from passes.expressions import an_input, same_values, some_data, text

from zerograd import dtypes
from zerograd.engines import reference
from zerograd.ir.graph import Node
from zerograd.ir.record import bind, recorder
from zerograd.ir.traverse import topological
from zerograd.ops import indexing, reduction
from zerograd.ops.contraction import matmul, turn
from zerograd.ops.elementwise import add, copy, mul, sub, tanh
from zerograd.ops.movement import cat, expand, reshape, slice_, slice_write
from zerograd.ops.source import filled
from zerograd.passes.pipeline import STAGES, run
from zerograd.passes.verify import verify

a, b = an_input(0, (2, 3)), an_input(1, (2, 3))


def without(name: str, outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    assert any(one.__name__ == name for stage in STAGES for one in stage)
    return run(outputs, stages=[[one for one in stage if one.__name__ != name] for stage in STAGES])


def checked(outputs: tuple[Node, ...]) -> list[str]:
    after = run(outputs)
    verify(outputs, after)
    assert same_values(outputs, after, some_data(outputs))
    return [text(one) for one in after]


def test_a_product_is_written_as_it_is_wanted() -> None:
    outputs = (turn(matmul(turn(a), b)),)
    assert checked(outputs) == ["matmul(permute(b, order=(1, 0)), a)"]
    assert text(without("turned_products", outputs)[0]).startswith("permute(matmul")


def test_a_product_that_is_wanted_both_ways_is_computed_once() -> None:
    product = matmul(turn(a), b)
    outputs = (turn(product), tanh(product))
    assert checked(outputs)[0] == "permute(matmul(permute(a, order=(1, 0)), b), order=(1, 0))"


def steps(number: int) -> tuple[list[Node], list[Node]]:
    hidden = [tanh(an_input(i, (2, 5))) for i in range(number)]
    grads = [tanh(an_input(number + i, (2, 6))) for i in range(number)]
    return hidden, grads


def total(terms: list[Node]) -> Node:
    result = terms[0]
    for one in terms[1:]:
        result = add(result, one)
    return result


def kinds(outputs: tuple[Node, ...]) -> list[str]:
    return [node.op.name for node in topological(outputs)]


def test_a_sum_of_products_is_one_product() -> None:
    hidden, grads = steps(4)
    outputs = (total([matmul(turn(g), h) for g, h in zip(grads, hidden, strict=True)][::-1]), cat(*grads, axis=0))
    checked(outputs)
    assert kinds(run(outputs)).count("matmul") == 1
    assert kinds(run(outputs)).count("cat") == 2
    assert kinds(without("gathered_products", outputs)).count("matmul") == 4


def test_products_of_parts_are_one_product() -> None:
    xs = [an_input(i, (2, 3)) for i in range(3)]
    w = tanh(an_input(3, (3, 4)))
    outputs = (*[tanh(matmul(x, w)) for x in xs], cat(*xs, axis=0))
    checked(outputs)
    assert kinds(run(outputs)).count("matmul") == 1
    assert kinds(run(outputs[:3])).count("matmul") == 3
    assert kinds(without("products_of_parts", outputs)).count("matmul") == 3


def test_a_recurrence_is_not_taken_for_products_of_parts() -> None:
    w, h = an_input(1, (3, 3)), [an_input(0, (2, 3))]
    for _ in range(3):
        h.append(tanh(matmul(h[-1], w)))
    outputs = (cat(*h, axis=0),)
    checked(outputs)
    assert kinds(run(outputs)).count("matmul") == 3


def test_a_sum_of_products_that_are_cheap_to_add_stays() -> None:
    outputs = (total([matmul(tanh(an_input(i, (2, 40))), tanh(an_input(3 + i, (40, 2)))) for i in range(3)]),)
    assert kinds(run(outputs)).count("matmul") == 3


def test_a_sum_of_sums_is_the_sum_of_what_lies_together() -> None:
    _, grads = steps(3)
    sums = [reshape(reduction.sum(g, axes=(0,)), shape=(6,)) for g in grads]
    outputs = (total(sums[::-1]), cat(*grads, axis=0))
    checked(outputs)
    assert kinds(run(outputs)).count("sum") == 1
    assert kinds(without("gathered_sums", outputs)).count("sum") == 3


def test_products_that_are_none() -> None:
    row, column = an_input(2, (1, 3)), an_input(3, (2, 1))
    outputs = {
        "expand(matmul(v, permute(a, order=(1, 0))))": matmul(expand(row, shape=(4, 3)), turn(a)),
        "sum(a, axes=(0,))": matmul(filled(1, turn(column).type), a),
        "expand(sum(a, axes=(1,)))": matmul(a, filled(1, turn(a).type)),
        "mul(expand(c), expand(v))": matmul(column, row),
    }
    for expected, before in outputs.items():
        assert checked((before,)) == [expected]
        assert "matmul" in text(without("special_products", (before,))[0])


def test_an_extreme_and_its_place_share_the_fold() -> None:
    values, places = reduction.max_at(a, axis=1)
    assert checked((values,)) == ["max(a, axes=(1,))"]
    assert kinds(run((values, places))).count("max") == 1


def test_outputs_may_become_leaves_constants_or_each_other() -> None:
    outputs = (copy(a), add(filled(1, a.type), filled(1, a.type)), mul(a, b), mul(b, a))
    after = run(outputs)
    verify(outputs, after)
    assert [text(one) for one in after[:2]] == ["a", "2.0"]
    assert after[2] is after[3]
    assert after[0].attributes == a.attributes


def test_equal_computations_are_one_node() -> None:
    x = bind(np.ones(3), an_input(0, (3,)).type)
    with_twins = [tanh(sub(x, x)) for _ in range(3)]
    assert len({id(one) for one in run(tuple(with_twins))}) == 1


def test_the_recorder_learns_nothing() -> None:
    before = len(recorder.own.interned), [len(one) for one in recorder.own.tables]
    run((matmul(turn(a), add(b, filled(0, b.type))),))
    outputs = (matmul(turn(a), add(b, filled(0, b.type))),)
    known = len(recorder.own.interned), [len(one) for one in recorder.own.tables]
    run(outputs)
    assert (len(recorder.own.interned), [len(one) for one in recorder.own.tables]) == known
    assert before != known


@pytest.mark.parametrize("place", [-4, 3])
def test_wrong_places_stay_errors(place: int) -> None:
    places = an_input(1, (2, 1), dtypes.int64)
    data = [np.zeros((2, 3)), np.array([[place], [0]])]
    for before in (
        indexing.gather(tanh(a), places, axis=1),
        indexing.scatter_add(tanh(a), places, slice_(a, starts=(0, 0), stops=(2, 1), steps=(1, 1)), axis=1),
        tanh(indexing.wrap(places, size=3)),
    ):
        with pytest.raises(IndexError):
            reference.compile(run((before,)))(data)


def test_a_long_chain_of_parts_is_no_deep_recursion() -> None:
    number = 3000
    zeros = filled(0, an_input(0, (number, 1)).type)
    x = tanh(an_input(0, (1, 1)))

    parts = [slice_write(zeros, x, starts=(i, 0), stops=(i + 1, 1), steps=(1, 1)) for i in range(number)]
    (after,) = run((total(parts),))
    assert after.op is cat
    assert len(after.inputs) == number
