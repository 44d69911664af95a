"""Programs that are left to the workers: nobody can tell, but by the clock.

Each test runs with workers that compute at once, and with a program in flight that does nothing until somebody waits
for it, while its results are rubbish: whoever looks at them without waiting is found out every time.
"""

from __future__ import annotations

import copy
import gc
import io
import pickle
import random
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from engines.native.flights import HOW, Flights, Training, flying, started, synchronous

import zerograd as torch
from zerograd.engines import flight
from zerograd.engines.native import program, schedule, threads
from zerograd.runtime.realize import launch
from zerograd.settings import settings

F = torch.nn.functional


@pytest.fixture(params=HOW, autouse=True)
def flights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flights]:
    with flying(monkeypatch, request.param) as found:
        yield found


# --- reading ----------------------------------------------------------------------------------------------------------


READS: dict[str, Callable[[Any], Any]] = {
    "item": lambda x: x.sum().item(),
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy().tolist(),
    "array": lambda x: np.asarray(x).tolist(),
    "print": str,
    "comparison": lambda x: bool((x > 0).all()),
    "equal": lambda x: torch.equal(x, x + 0),
    "indexing": lambda x: x[x > 1].tolist(),
    "a row": lambda x: x[2].tolist(),
    "a part": lambda x: x[1:, ::2].tolist(),
    "an element": lambda x: float(x[1, 2]),
    "deep copy": lambda x: copy.deepcopy(x).tolist(),
    "clone": lambda x: x.clone().tolist(),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)).tolist(),
    "save": lambda x: _saved(x).tolist(),
    "dlpack": lambda x: np.from_dlpack(x).tolist(),
    "shared": lambda x: x.share_memory_().tolist(),
    "address": lambda x: (x.data_ptr() > 0, x.tolist()),
    "index": lambda x: torch.arange(100)[x.long().reshape(-1).abs()].tolist(),
    "embedding": lambda x: F.embedding(x.long().abs(), torch.arange(200.0).reshape(100, 2)).tolist(),
    "product": lambda x: (x @ x.T).tolist(),
    "linear algebra": lambda x: torch.linalg.svdvals(x).tolist(),
    "in place": lambda x: x.add_(1).tolist(),
    "loader": lambda x: [one[0].tolist() for one in torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x))],
}


def _saved(x: Any) -> Any:
    file = io.BytesIO()
    torch.save(x, file)
    file.seek(0)
    return torch.load(file)


@pytest.mark.parametrize("name", READS)
def test_whoever_looks_waits(name: str, flights: Flights) -> None:
    read, start = READS[name], torch.arange(24.0).reshape(4, 6) + 0
    float(start.sum())

    def value() -> Any:
        return start * 2 - 3

    expected = synchronous(lambda: read(value()))
    for _ in range(3):
        assert repr(read(started(value()))) == repr(expected)
    assert flights.count >= 3


AT_PLACES: dict[str, Callable[[Any, Any], Any]] = {
    "embedding": lambda table, at: F.embedding(at, table),
    "index_select": lambda table, at: table.index_select(0, at),
    "gather": lambda table, at: table[:, 0].gather(0, at),
    "brackets": lambda table, at: table[at],
    "classes": lambda table, at: F.nll_loss(table.T.expand(6, 2, 20).reshape(6, 40)[:, :20], at, reduction="none"),
}


@pytest.mark.parametrize("name", AT_PLACES)
def test_indices_in_flight_are_checked_when_they_are_known(name: str) -> None:
    table, at, taken = table_of_forty(), torch.arange(6), AT_PLACES[name]
    for shift in (0, 3, 14):
        expected = synchronous(lambda shift=shift: taken(table, at + shift).tolist())
        assert taken(table, started(at + shift)).tolist() == expected
    with pytest.raises((IndexError, RuntimeError)):
        taken(table, started(at + 15)).tolist()


def test_what_nobody_reads_is_waited_for_by_the_next(flights: Flights) -> None:
    x = torch.ones(64, 64)
    for _ in range(20):
        x = started(x * 1.5 - 0.25)
    assert float(x[0, 0]) == float(synchronous(lambda: _repeated(20)))
    assert flights.count >= 20


def _repeated(count: int) -> Any:
    x = torch.ones(1)
    for _ in range(count):
        x = x * 1.5 - 0.25
    return x


def test_tensors_that_die_in_flight_take_nothing_with_them() -> None:
    for i in range(30):
        a, b = torch.full((500, 40), float(i)), torch.ones(500, 40)
        kept, lost = a * 2 + b, a - b
        started(kept)
        del a, b, lost
        gc.collect()
        rubbish = [np.full((500, 40), np.nan, np.float32) for _ in range(6)]
        assert kept.tolist() == [[2.0 * i + 1] * 40] * 500
        del rubbish


def test_everything_can_be_dropped_in_flight() -> None:
    for _ in range(20):
        x = torch.ones(300, 300)
        x = started(x @ x)
        del x
        gc.collect()
    assert float((torch.ones(3, 3) @ torch.ones(3, 3)).sum()) == 27


# --- NumPy ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 300])  # small memory is copied
def test_numpy_may_write_to_what_it_has_lent(size: int) -> None:
    lent = np.ones((size, size), np.float32)
    x = torch.from_numpy(lent)
    for i in range(6):
        lent[:] = i
        y = x * 2 + 1
        launch()
        lent[:] = 1e9
        assert float(y[size - 1, size - 1]) == 2 * i + 1


@pytest.mark.parametrize("size", [4, 300])
def test_numpy_may_write_to_what_it_has_been_given(size: int) -> None:
    for _ in range(4):
        x = started(torch.ones(size, size) * 3)
        seen = x.numpy()
        y = x + torch.ones(size, size) @ torch.ones(size, size)
        launch()
        seen[:] = 100
        assert float(y[0, 0]) == 3 + size
        assert float(x[0, 0]) == 100
        z = x + 1
        launch()
        seen[:] = 5
        assert float(z[1, 1]) == 101


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_a_training_step_on_lent_memory(compiled: bool, given: bool) -> None:
    def run(lend: bool) -> list[float]:
        torch.manual_seed(0)
        lent = np.zeros((200, 100), np.float32)
        model = torch.nn.Linear(100, 10)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        data = torch.from_numpy(lent)

        def body(*arguments: Any) -> Any:
            optimizer.zero_grad()
            loss = (model(arguments[0] if arguments else data) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = torch.compile(body) if compiled and lend else body
        losses: list[Any] = []
        for i in range(8):
            lent[:] = np.random.default_rng(i).standard_normal(lent.shape)
            losses.append(step(data) if given else step())
            if lend:
                lent[:] = 1e9
            else:  # read at once, all of it
                losses[-1] = float(losses[-1])
                model.weight.sum().item()
        return [float(loss) for loss in losses]

    np.testing.assert_allclose(run(True), synchronous(lambda: run(False)), rtol=1e-5)


# --- errors -----------------------------------------------------------------------------------------------------------


def table_of_forty() -> Any:
    """0 to 39, in rows of 2, computed."""
    table = torch.arange(40.0).reshape(20, 2) + 0
    float(table.sum())
    return table


def looked_up(table: Any, at: Any) -> Any:
    return F.embedding(at + 0, table)  # the sum is not known yet, so nothing is checked at the call


def test_a_wrong_index_is_reported_to_those_who_look_at_what_depends_on_it(flights: Flights) -> None:
    table, at, n = table_of_forty(), torch.arange(6), torch.zeros(1000)
    for shift in (0, 3, 500, 2, 700, 701, 1):
        rows = looked_up(table, at + shift)
        twice = rows * 2
        n = n + 1  # written over the old one, which nobody else has
        other = table + 1
        before = float(n[0]) if shift == 0 else None
        launch()
        if shift < 20:
            assert twice.tolist() == [[4.0 * (i + shift), 4.0 * (i + shift) + 2] for i in range(6)]
        else:
            for wrong in (rows, twice, rows):
                with pytest.raises(IndexError, match="out of bounds"):
                    wrong.tolist()
        assert other.tolist() == (np.arange(40.0).reshape(20, 2) + 1).tolist()
        assert before in (None, 1)
    assert n.tolist() == [7.0] * 1000
    assert flights.count >= 6  # of 7, one is read at once


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("small", [True, False])
def test_what_does_not_depend_on_a_wrong_index_is_computed_once(
    asynchronous: bool, small: bool, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "asynchronous", asynchronous)
    if small:  # one thread does everything in its order
        monkeypatch.setattr(schedule, "ALONE", 1e12)
        monkeypatch.setattr(threads, "ALONE", 1e12)
    table, at = table_of_forty(), torch.arange(6)
    n, all_of_it = torch.zeros(3000), torch.ones(300, 100) + 0
    float(n.sum() + all_of_it.sum())
    made: list[Any] = []
    tables = program.Program._make_tables

    def noted(self: Any, recipe: Any) -> None:
        tables(self, recipe)
        made.append((self.checks, sum(one.slot >= 0 for one in self.results)))

    monkeypatch.setattr(program.Program, "_make_tables", noted)
    for i, shift in enumerate((0, 1, 60, 2, 70)):
        row = looked_up(table, at + shift).sum()
        late = (all_of_it * (all_of_it.sum() - 29_999)).sum()
        n = n + (all_of_it * (late - 29_999)).sum() / 30_000  # after all that may report something, over the old one
        launch()
        del row, late
        assert i < 2 or (True, 1) in made
    assert n.tolist() == [5.0] * 3000
    assert bool(flights.count) == (asynchronous and not small)


def test_what_is_computed_from_it_later_fails_too() -> None:
    table, at = table_of_forty(), torch.arange(6)
    for shift in (0, 1, 90):
        rows, aside = looked_up(table, at + shift), table * 2  # several tasks: with one, no program is in flight
        started(aside)
        later, good = rows.sum() + 1, table.sum() + shift
        part = rows[2] * 3
        if shift < 20:
            assert float(later) == float(rows.sum()) + 1
            assert part.tolist() == (rows[2] * 3).tolist()
        else:
            for wrong in (later, part, later + 1):
                with pytest.raises(IndexError, match="out of bounds"):
                    wrong.tolist()
        assert float(good) == 780 + shift


def test_an_error_that_nobody_sees_is_forgotten_with_what_it_has_spoiled() -> None:
    table, at = table_of_forty(), torch.arange(6)
    gc.collect()
    others = len(flight.spoiled)
    for shift in (0, 1, 60, 70, 80):
        rows, aside = looked_up(table, at + shift), table * 2  # several tasks: with one, no program is in flight
        started(aside)
        flight.finish()
        assert len(flight.spoiled) == others + (shift > 20)
        del rows
        gc.collect()
        assert len(flight.spoiled) == others
    assert looked_up(table, at).tolist() == table[:6].tolist()


def test_training_goes_on_after_an_error() -> None:
    def train(wrong: bool) -> Any:
        torch.manual_seed(1)
        table, head = torch.nn.Embedding(12, 6), torch.nn.Linear(6, 3)
        parameters = [*table.parameters(), *head.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        at, losses = torch.arange(8), []
        for i in range(12):
            loss = head(looked_up(table.weight, at)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if wrong and i > 4:
                lost = looked_up(table.weight, at + 100)
                launch()
                with pytest.raises(IndexError, match="out of bounds"):
                    lost.sum().item()
            else:
                launch()
            losses.append(loss)
        return [float(loss) for loss in losses], [one.tolist() for one in parameters]

    np.testing.assert_allclose(train(True)[0], synchronous(lambda: train(False))[0], rtol=1e-5)


def test_an_interrupt_while_waiting_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(program.Launched):
        """An interrupt comes while the program is being waited for."""

        __slots__ = ()

        def finish(self) -> None:
            super().finish()
            if next(strokes):
                signal.raise_signal(signal.SIGINT)

    def train(patient: bool) -> list[bytes]:
        training = Training()
        for _ in range(6):
            for _ in range(50):  # as a user does who presses the keys and starts the cell again
                try:
                    training.plain()
                    break
                except KeyboardInterrupt:
                    assert not patient
                    raise AssertionError("a step does not wait before its end") from None
            for _ in range(50):
                try:
                    launch()
                    flight.finish()
                    break
                except KeyboardInterrupt:
                    assert not patient
        return training.state()

    expected = synchronous(lambda: train(patient=True))
    strokes = iter(lambda: False, True)
    monkeypatch.setattr(program, "Launched", Interrupted)
    assert train(patient=True) == expected
    pressed = random.Random(0)
    held = [pressed.random() < 0.5 for _ in range(1000)]
    monkeypatch.setattr(flight, "land", _patient(flight.land))
    strokes = iter(held)
    assert train(patient=False) == expected


def _patient(land: Callable[[Any], None]) -> Callable[[Any], None]:
    """Landing that an interrupt leaves half done, then is done again."""

    def again(one: Any) -> None:
        while True:
            try:
                return land(one)
            except KeyboardInterrupt:
                assert flight.running is one

    return again
