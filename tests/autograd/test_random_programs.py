"""Random programs with views, changes in place, hooks and passes: what is computed does not depend on when.

Each program is run by PyTorch, and by zerograd with launches wherever the program says. Steps that PyTorch refuses
are left out; at a pass that it refuses (a needed value was changed in place) the program ends.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch as pytorch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zerograd
from zerograd.runtime import realize

LEAVES = 3
SHAPE = (2, 3)
Step = tuple[Any, ...]

place = st.one_of(st.integers(0, 3), st.integers(0, 30))
factor = st.sampled_from((0.5, -1.0, 2.0))
steps = st.one_of(
    st.tuples(st.just("unary"), st.sampled_from(("sin", "tanh", "exp", "neg", "abs", "sigmoid")), place),
    st.tuples(st.just("binary"), st.sampled_from(("add", "sub", "mul", "maximum")), place, place),
    st.tuples(st.just("number"), st.sampled_from(("add", "mul", "sub")), place, factor),
    st.tuples(st.just("view"), st.sampled_from(("t", "row", "column", "rows", "flat", "same", "expand")), place),
    st.tuples(st.just("reduce"), st.sampled_from(("sum", "mean", "amax")), place),
    st.tuples(st.just("apart"), st.sampled_from(("clone", "detach")), place),
    st.tuples(st.just("change"), st.sampled_from(("add_", "mul_", "copy_", "sub_")), place, place),
    st.tuples(st.just("change number"), st.sampled_from(("add_", "mul_", "fill_", "clamp_")), place, factor),
    st.tuples(st.just("change alone"), st.sampled_from(("sin_", "tanh_", "zero_", "neg_")), place),
    st.tuples(st.just("assign"), st.sampled_from((0, 1, "first", "last")), place, place),
    st.tuples(st.just("update"), st.integers(0, LEAVES - 1), factor),
    st.tuples(st.just("hook"), place, factor),
    st.tuples(st.just("watch"), place),
    st.tuples(st.just("retain"), place),
    st.tuples(st.just("backward"), place, st.booleans()),
    st.tuples(st.just("grad"), place, place),
    st.tuples(st.just("second"), place, st.integers(0, LEAVES - 1)),
    st.tuples(st.just("clear"), st.integers(0, LEAVES - 1), st.booleans()),
    st.tuples(st.just("launch")),
    st.tuples(st.just("read"), place),
)
PASSES = ("backward", "grad", "second")


class Machine:
    """The state of a program in one library."""

    def __init__(self, library: Any) -> None:
        self.library = library
        values = np.random.default_rng(0).uniform(-1, 1, (LEAVES, *SHAPE))
        self.leaves = [library.tensor(one, requires_grad=True) for one in values]
        self.pool = [*self.leaves, library.tensor(values[0] * 0.3), *[leaf * 0.9 for leaf in self.leaves]]
        self.roots = list(range(len(self.pool)))
        self.seen: list[Any] = []
        self.hooked: list[Any] = []

    def at(self, number: int) -> Any:
        """A value; small numbers mean recent ones."""
        return self.pool[-1 - number % len(self.pool)]

    def keep(self, made: Any, shares_with: int | None = None) -> None:
        self.pool.append(made)
        self.roots.append(len(self.pool) if shares_with is None else self.root(shares_with))

    def root(self, number: int) -> int:
        """The same for values in the same memory."""
        return self.roots[-1 - number % len(self.roots)]

    def run(self, step: Step) -> None:
        getattr(self, f"do_{step[0].replace(' ', '_')}")(*step[1:])

    def do_unary(self, name: str, i: int) -> None:
        self.keep(getattr(self.at(i), name)())

    def do_binary(self, name: str, i: int, k: int) -> None:
        self.keep(getattr(self.library, name)(self.at(i), self.at(k)))

    def do_number(self, name: str, i: int, number: float) -> None:
        self.keep(getattr(self.at(i), name)(number))

    def do_view(self, kind: str, i: int) -> None:
        x = self.at(i)
        matrix = x if x.dim() == 2 else x.reshape(1, -1)
        views = {
            "t": lambda: x.t(), "row": lambda: matrix[0], "column": lambda: matrix[:, -1:], "rows": lambda: matrix[:1],
            "flat": lambda: x.view(-1), "same": lambda: x.view(x.shape), "expand": lambda: matrix[:1].expand(2, -1),
        }  # fmt: skip
        self.keep(views[kind](), shares_with=i)

    def do_reduce(self, name: str, i: int) -> None:
        self.keep(getattr(self.at(i), name)())

    def do_apart(self, name: str, i: int) -> None:
        x = self.at(i)
        self.keep({"clone": x.clone, "detach": x.detach}[name](), shares_with=i if name == "detach" else None)

    def target(self, i: int) -> Any:
        if 0 in self.at(i).stride():
            raise RuntimeError("PyTorch lets some expanded values be changed, zerograd none")
        if self.at(i)._is_view() and any(one is self.at(i) for one in self.hooked):
            raise RuntimeError("in PyTorch gradients then pass the hook by, and go to the base directly")
        return self.at(i)

    def do_change(self, name: str, i: int, k: int) -> None:
        if self.root(i) == self.root(k) and (self.at(i) is not self.at(k) or name == "copy_"):
            raise RuntimeError("while PyTorch writes the one, it changes the other")
        getattr(self.target(i), name)(self.at(k))

    def do_change_number(self, name: str, i: int, number: float) -> None:
        getattr(self.target(i), name)(number)

    def do_change_alone(self, name: str, i: int) -> None:
        getattr(self.target(i), name)()

    def do_assign(self, where: Any, i: int, k: int) -> None:
        index = {"first": (..., slice(0, 1)), "last": (..., -1)}.get(where, where)
        if self.root(i) == self.root(k):
            raise RuntimeError("while PyTorch writes the one, it changes the other")
        self.target(i)[index] = self.at(k)

    def do_update(self, leaf: int, rate: float) -> None:
        w = self.leaves[leaf]
        with self.library.no_grad():
            if w.grad is not None:
                w -= 0.1 * rate * w.grad

    def hookable(self, i: int) -> Any:
        x = self.at(i)
        assert x.grad_fn is None or x.requires_grad  # PyTorch crashes unless a view looks for its history first
        self.hooked.append(x)
        return x

    def do_hook(self, i: int, number: float) -> None:
        self.hookable(i).register_hook(lambda grad: grad * number)

    def do_watch(self, i: int) -> None:
        self.hookable(i).register_hook(lambda grad: self.seen.append(grad.detach().tolist()))

    def do_retain(self, i: int) -> None:
        self.hookable(i).retain_grad()

    def do_backward(self, i: int, create_graph: bool) -> None:
        (self.at(i) * 0.7).sum().backward(retain_graph=True, create_graph=create_graph)
        if create_graph:
            for leaf in self.leaves:
                if leaf.grad is not None:
                    leaf.grad = leaf.grad.detach()

    def do_grad(self, i: int, k: int) -> None:
        x = self.at(k)
        (found,) = self.library.autograd.grad((self.at(i) * 0.3).sum(), x, retain_graph=True, allow_unused=True)
        self.seen.append(None if found is None else found.tolist())

    def do_second(self, i: int, leaf: int) -> None:
        w = self.leaves[leaf]
        loss = (self.at(i) ** 2).sum()
        (first,) = self.library.autograd.grad(loss, w, create_graph=True, allow_unused=True)
        if first is not None and first.requires_grad:
            (again,) = self.library.autograd.grad((first**2).sum(), w, retain_graph=True, allow_unused=True)
            self.seen.append(None if again is None else again.tolist())

    def do_clear(self, leaf: int, to_none: bool) -> None:
        w = self.leaves[leaf]
        if to_none:
            w.grad = None
        elif w.grad is not None:
            w.grad.zero_()

    def do_launch(self) -> None:
        if self.library is zerograd:
            realize.launch()

    def do_read(self, i: int) -> None:
        self.seen.append(self.at(i).tolist())

    def state(self) -> list[Any]:
        """Everything that a program could look at."""
        facts = []
        for one in self.pool:
            grad = one.grad if one.is_leaf or one.retains_grad else None
            facts.append((one.tolist(), one.requires_grad, one.is_leaf, None if grad is None else grad.tolist()))
        return [facts, self.seen]


def accepted(program: list[Step]) -> tuple[list[Step], Machine]:
    """The steps that PyTorch takes, and where they lead it."""
    machine = Machine(pytorch)
    taken = []
    for step in program:
        seen = len(machine.seen)
        try:
            machine.run(step)
        except (RuntimeError, IndexError):
            del machine.seen[seen:]
            if step[0] in PASSES and not _refused_at_once(machine, step):
                return taken, _replayed(pytorch, taken)
            continue
        taken.append(step)
    return taken, machine


def _refused_at_once(machine: Machine, step: Step) -> bool:
    """Whether a pass cannot begin: its root, or what it is asked for, has no history."""
    if not machine.at(step[1]).requires_grad:
        return True
    return step[0] == "grad" and not machine.at(step[2]).requires_grad


def _replayed(library: Any, program: list[Step]) -> Machine:
    machine = Machine(library)
    for step in program:
        machine.run(step)
    return machine


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True))
    return a == b


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=12, max_size=40), st.booleans())
def test_random_programs_compute_what_pytorch_computes(program: list[Step], launch_everywhere: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        taken, expected = accepted(program)
        machine = Machine(zerograd)
        for step in taken:
            machine.run(step)
            if launch_everywhere:
                realize.launch()
        assert same(machine.state(), expected.state()), (taken, machine.state(), expected.state())
