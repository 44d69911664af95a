"""The promises of the core: structure is met again, nothing is computed twice, numbers are data, memory stays flat."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

import zerograd as torch
from zerograd.engines import reference
from zerograd.ir.graph import Op
from zerograd.ir.record import recorder
from zerograd.ops import contraction, elementwise
from zerograd.runtime import realize
from zerograd.settings import settings


@pytest.fixture(autouse=True)
def _fresh() -> None:
    realize.launch()
    recorder.own.forget()


@contextmanager
def counted(op: Op) -> Generator[list[int]]:
    """How often the reference of ``op`` runs inside the block."""
    calls: list[int] = []
    original = op.reference

    def reference_(*arrays: object, **attributes: object) -> object:
        calls.append(1)
        return original(*arrays, **attributes)

    object.__setattr__(op, "reference", reference_)
    recorder.own.forget()
    try:
        yield calls
    finally:
        object.__setattr__(op, "reference", original)
        recorder.own.forget()


@contextmanager
def compilations() -> Generator[list[int]]:
    compiled: list[int] = []
    original = reference.compile

    def compile_(outputs: tuple) -> Callable:
        compiled.append(len(outputs))
        return original(outputs)

    reference.compile = compile_
    try:
        yield compiled
    finally:
        reference.compile = original


@pytest.fixture
def by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count or change the calls of NumPy functions."""
    monkeypatch.setattr(settings, "engine", "reference")


@pytest.mark.usefixtures("by_reference")
def test_a_read_between_forward_and_backward_computes_nothing_twice() -> None:
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = torch.tensor([[1.0, 1.0]])
    with counted(contraction.matmul) as products, counted(elementwise.tanh) as tanhs:
        loss = (x @ w).tanh().sum()
        assert len(products) == 0, "recording computes nothing"
        loss.item()
        assert (len(products), len(tanhs)) == (1, 1)
        loss.item()
        assert (len(products), len(tanhs)) == (1, 1)
        loss.backward()
        w.grad.tolist()
        assert (len(products), len(tanhs)) == (2, 1), "backward adds one product and reuses tanh's result"


def test_values_that_nobody_holds_are_not_computed() -> None:
    x = torch.tensor([1.0, 2.0])
    with counted(elementwise.exp) as exps:
        for _ in range(10):
            x.exp()
        (x + 1.0).tolist()
        assert not exps


def train(steps: int, rate: Callable[[int], float], read: Callable[[int], bool]) -> list[float]:
    w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    x = torch.tensor([0.5, 1.0, 2.0])
    for k in range(steps):
        loss = ((w * x - 1.0) * (w * x - 1.0)).sum()
        if read(k):
            loss.item()
        loss.backward()
        with torch.autograd.no_grad():
            w -= rate(k) * w.grad
        realize.finish_step()
        w.grad = None
        realize.gradients_cleared()
    return w.tolist()


def test_a_step_met_again_is_not_compiled_again_whatever_the_learning_rate() -> None:
    with compilations() as compiled:
        train(5, lambda k: 0.1 / (k + 1), lambda k: False)
        first = len(compiled)
        train(50, lambda k: 0.1 / (k + 1), lambda k: False)
    assert first <= 3
    assert len(compiled) <= first + 1


@pytest.mark.parametrize("every", [1, 2, 7])
def test_when_things_are_computed_is_free(every: int) -> None:
    rate = lambda k: 0.05  # noqa: E731
    assert train(30, rate, lambda k: k % every == 0) == train(30, rate, lambda k: False)


def test_equal_expressions_are_different_tensors() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(2):  # recorded, then met again
        a, b = x * 2.0, x * 2.0
        (for_a,) = torch.autograd.grad((a * b).sum(), a)
        assert for_a.tolist() == [2.0, 4.0]
    y = x.exp()
    z = x.exp()
    y.retain_grad()
    (y + z * 3.0).sum().backward()
    assert y.grad.tolist() == [1.0, 1.0]


def test_the_same_loss_twice_is_two_graphs() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0]


def test_a_second_backward_names_the_shared_node_and_its_line() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    shared = x.exp()
    shared.sum().backward()
    with pytest.raises(RuntimeError, match="second time") as caught:
        (shared * 2.0).sum().backward()
    assert "ExpBackward0" in str(caught.value)
    assert "test_recording.py" in str(caught.value)


@pytest.mark.parametrize("launched", [False, True])
def test_graphs_that_keep_nothing_can_be_used_again(launched: bool) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x + 1.0).sum()
    if launched:
        y.item()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_history_crosses_launches() -> None:
    w = torch.tensor(2.0, requires_grad=True)
    h = torch.tensor(1.0)
    for _ in range(5):
        h = (h * w).tanh() + h
        h.item()
    h.backward()
    import torch as pytorch  # the oracle

    v = pytorch.tensor(2.0, requires_grad=True)
    g = pytorch.tensor(1.0)
    for _ in range(5):
        g = (g * v).tanh() + g
    g.backward()
    assert w.grad.item() == pytest.approx(v.grad.item(), rel=1e-5)


def test_values_as_recorded_survive_changes_in_place() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3.0
    z = (y * y).sum()
    y += 100.0
    z.backward()
    assert x.grad.tolist() == [18.0, 36.0]


def growth(step: Callable[[int], object], warm: int, steps: int) -> int:
    """Bytes that Python objects grow by over ``steps`` iterations."""
    for k in range(warm):
        step(k)
    realize.launch()  # so that what is pending does not count, at either end
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for k in range(warm, warm + steps):
        step(k)
    realize.launch()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def test_memory_stays_flat_in_a_training_loop_that_reads_nothing() -> None:
    w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    x = torch.tensor([0.5, 1.0, 2.0])

    def step(k: int) -> None:
        ((w * x - 1.0) * (w * x)).sum().backward()
        with torch.autograd.no_grad():
            w.sub_(w.grad * (0.01 / (k + 1)))
        w.grad = None

    assert growth(step, 1500, 3000) < 200_000


def test_memory_stays_flat_in_an_inference_loop() -> None:
    state = {"x": torch.tensor([0.1, 0.2])}

    def step(k: int) -> None:
        state["x"] = (state["x"] * 1.1).tanh()

    assert growth(step, 9000, 9000) < 200_000


def test_memory_stays_flat_with_changing_lengths() -> None:
    w = torch.tensor([0.5], requires_grad=True)
    batches = [torch.tensor([1.0] * n) for n in range(1, 30)]

    def step(k: int) -> None:
        loss = (batches[k % 29] * w).sum()
        loss.backward()
        w.grad = None
        loss.item()

    assert growth(step, 1000, 2000) < 300_000


def test_a_failed_body_changes_nothing() -> None:
    x = torch.tensor([1.0, 2.0])
    y = torch.tensor([1.0, 2.0, 3.0])
    depth = recorder.own.depth
    with pytest.raises(RuntimeError, match="broadcast"):
        x.add_(y)
    assert recorder.own.depth == depth
    assert x.tolist() == [1.0, 2.0]
    assert x._version == 0


@pytest.mark.usefixtures("by_reference")
def test_an_engine_failure_belongs_to_its_own_value() -> None:
    x = torch.tensor([1.0, 2.0])
    original = elementwise.tanh.reference

    def fail(*_: object) -> None:
        raise MemoryError("no room")

    object.__setattr__(elementwise.tanh, "reference", fail)
    try:
        bad, good = x.tanh(), x * 2.0
        assert good.tolist() == [2.0, 4.0]
        with pytest.raises(MemoryError, match="no room"):
            bad.tolist()
    finally:
        object.__setattr__(elementwise.tanh, "reference", original)
    assert x.tanh().tolist() != [0.0, 0.0]


def test_threads_record_apart_and_share_values() -> None:
    import threading

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    pending = x * 2.0
    seen: list[object] = []

    def work() -> None:
        seen.append((pending + 1.0).tolist())
        loss = (x * x).sum()
        seen.append(torch.autograd.grad(loss, x)[0].tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.count([3.0, 5.0]) == 4
    assert seen.count([2.0, 4.0]) == 4
    assert (pending + 2.0).tolist() == [4.0, 6.0]


def test_numbers_in_remembered_functions_keep_their_precision() -> None:
    from zerograd.tensor.door import remembered

    @remembered
    def third(x: torch.Tensor) -> torch.Tensor:
        return x * (1 / 3)

    assert third(torch.tensor(1.0, dtype=torch.float64)).item() == 1 / 3
