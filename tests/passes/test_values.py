"""Programs compute the same after the passes: random graphs, random programs, training steps."""

from __future__ import annotations

import os
import warnings
from random import Random

import numpy as np
import pytest
from autograd.test_random_programs import Machine, accepted, program
from passes import random_graphs
from passes.checked_engine import Checked, checked
from passes.expressions import same_values
from passes.models import MODELS

import zerograd
from zerograd import dtypes
from zerograd.engines import reference
from zerograd.ir.graph import Node, TensorType, leaf
from zerograd.ir.traverse import format_graph
from zerograd.ops.elementwise import mul
from zerograd.ops.movement import permute
from zerograd.ops.source import filled
from zerograd.passes.pipeline import RULES, run
from zerograd.passes.rewrite import Graph, Rules, together
from zerograd.passes.verify import verify
from zerograd.runtime import realize

__all__ = ["checked"]
GRAPHS = 150  # in each part


def wrong_graph(first: int, rules: Rules = RULES) -> str | None:
    """The first random graph that has other values after the passes."""
    for seed in range(first, first + GRAPHS):
        draw = Random(seed)
        before = random_graphs.graph(draw)
        data = random_graphs.data(draw)
        after = run(before, rules)
        verify(before, after)
        if not same_values(before, after, data):
            return f"graph {seed}:\n{format_graph(before)}\n\n{format_graph(after)}"
    return None


@pytest.mark.parametrize("part", range(4))
def test_random_graphs_compute_the_same(part: int) -> None:
    first = 0 if os.environ.get("CI") else Random().randrange(1 << 40)
    found = wrong_graph(first + part * GRAPHS)
    assert found is None, found


def test_a_wrong_rule_would_be_found() -> None:
    wrong = Rules()

    @wrong.on(permute)
    def square_permutations_vanish(graph: Graph, node: Node) -> Node | None:
        """A mistake: permute(x) = x, if the shape stays"""
        return node.inputs[0] if node.inputs[0].type is node.type else None

    found = wrong_graph(0, together(wrong, RULES))
    assert found is not None
    assert "permute" in found


def test_random_programs_compute_the_same(checked: Checked) -> None:
    first = 0 if os.environ.get("CI") else Random().randrange(1 << 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(first, first + 40):
            taken, _ = accepted(program(Random(seed)))
            machine = Machine(zerograd)
            for step in taken:
                machine.run(step)
            machine.state()
    assert checked.graphs > 40


@pytest.mark.parametrize("name", MODELS)
def test_training_steps_compute_the_same(name: str, checked: Checked) -> None:
    zerograd.manual_seed(0)
    step = MODELS[name]()
    for _ in range(3):
        step().item()
    realize.launch()
    assert checked.graphs > 1


def test_small_numbers_of_float16_keep_their_digits() -> None:
    """x * (y * 2) is not (x * y) * 2 where x * y has fewer digits than twice as much."""
    draw = np.random.default_rng(0)
    x, y = (draw.uniform(1e-4, 1e-2, 64).astype(np.float16) for _ in range(2))
    type = TensorType((64,), dtypes.float16)
    a, b = (Node(leaf, (), {"slot": slot, "type": type}, type, False) for slot in range(2))
    wanted = mul(a, mul(b, filled(2, type)))
    (found,) = run((wanted,))
    results = [reference.compile((one,))([x, y])[0] for one in (wanted, found)]
    np.testing.assert_array_equal(*results)
