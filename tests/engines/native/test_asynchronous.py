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
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from engines.native.processes import forks, in_child
from engines.native.tiny import python

import zerograd as torch
from zerograd.engines import flight
from zerograd.engines.native import program, schedule, threads
from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.settings import settings

F = torch.nn.functional


class Late(program.Launched):
    """A program that begins when it is waited for."""

    __slots__ = ("waits",)

    def start(self) -> bool:
        self.waits = True
        dead = {id(one) for one in self.leaves}
        for array in self.arrays:
            if id(array) not in dead:
                array.reshape(-1).view(np.uint8)[...] = 0xAB
        return True

    def finish(self) -> None:
        if self.waits:
            self.waits = False
            self.schedule.run(self.program.table_at, 1)
        super().finish()


class Flights:
    """How many programs have been left to others."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture(params=["workers", "late"], autouse=True)
def flights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flights]:
    """Every program that can be is left to others."""
    launch()
    flight.finish()
    recorder.own.forget()
    monkeypatch.setattr(settings, "engine", "native")
    monkeypatch.setattr(settings, "threads", 3)
    monkeypatch.setattr(settings, "asynchronous", True)
    monkeypatch.setattr(program, "WORTH", 0)
    monkeypatch.setattr(threads, "ALONE", 0)
    monkeypatch.setattr(schedule, "ALONE", 0)
    monkeypatch.setattr(threads, "SHARE", 1e-9)
    if request.param == "late":
        monkeypatch.setattr(program, "Launched", Late)
    counted, take_off = Flights(), flight.take_off

    def counting(one: flight.Flight) -> bool:
        counted.count += 1
        return take_off(one)

    monkeypatch.setattr(flight, "take_off", counting)
    yield counted
    launch()
    flight.finish()
    recorder.own.forget()


def in_flight() -> bool:
    return flight.running is not None


def started(x: Any) -> Any:
    """Launch what is pending; the value is in flight now."""
    launch()
    assert in_flight()
    return x


class Training:
    """A small model, its data and its optimizer."""

    def __init__(self, kind: str = "Adam", seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = torch.nn.Sequential(torch.nn.Linear(17, 24), torch.nn.Tanh(), torch.nn.Linear(24, 7))
        options = {"lr": 0.05, "momentum": 0.9} if kind == "SGD" else {"lr": 0.02}
        self.optimizer = getattr(torch.optim, kind)(self.model.parameters(), **options)
        self.x, self.y = torch.randn(40, 17), torch.randint(0, 7, (40,))
        self.step: Callable[[], Any] = self.plain

    def plain(self) -> Any:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self) -> list[bytes]:
        moments = [value for one in self.optimizer.state.values() for value in one.values()]
        held = [*self.model.parameters(), *(one for one in moments if isinstance(one, torch.Tensor))]
        return [one.detach().numpy().tobytes() for one in held]


def synchronous(work: Callable[[], Any]) -> Any:
    settings.asynchronous = False
    try:
        return work()
    finally:
        settings.asynchronous = True


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
    assert flights.count >= 7


def test_what_is_computed_from_it_later_fails_too() -> None:
    table, at = table_of_forty(), torch.arange(6)
    for shift in (0, 1, 90):
        rows = looked_up(table, at + shift)
        launch()
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
        rows = looked_up(table, at + shift)
        launch()
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


# --- processes and threads --------------------------------------------------------------------------------------------


@forks
def test_a_fork_in_flight() -> None:
    x = torch.ones(100, 100)
    for i in range(6):
        y = started(x @ x + i)

        def work(y: Any = y, i: int = i) -> bool:
            assert not in_flight()
            right = float(y[3, 3]) == 100 + i
            return right and all(float(started(x @ x + j)[1, 1]) == 100 + j for j in range(5))

        assert in_child(work) == 0
        assert float(y[5, 5]) == 100 + i


@forks
def test_forks_while_another_thread_launches() -> None:
    stop, wrong = threading.Event(), []
    x = torch.ones(50, 50)
    float(x.sum())

    def keep_on() -> None:
        mine = torch.ones(50, 50)
        while not stop.is_set():
            y = mine @ mine
            launch()
            if float(y[0, 0]) != 50:
                wrong.append(1)

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        assert [in_child(lambda: float(started(x @ x)[0, 0]) == 50) for _ in range(8)] == [0] * 8
    finally:
        stop.set()
        thread.join(60)
    assert not wrong


BEGIN = """
import zerograd as torch
from zerograd.engines import flight
from zerograd.engines.native import program, schedule, threads
from zerograd.runtime.realize import launch
from zerograd.settings import settings
settings.engine, settings.threads = "native", 3
program.WORTH = threads.ALONE = schedule.ALONE = 0
threads.SHARE = 1e-9
"""


def test_the_interpreter_may_end_in_flight() -> None:
    script = """
x = torch.ones(700, 700)
for _ in range(3):
    y = (x @ x @ x).sum(0)
    launch()
print(flight.running is not None)
"""
    assert python(BEGIN + script) == "True\n"


def test_the_interpreter_may_end_with_an_error_in_flight() -> None:
    script = """
rows = torch.nn.functional.embedding(torch.arange(6) + 100, torch.zeros(20, 3))
launch()
print(flight.running is not None)
"""
    assert python(BEGIN + script) == "True\n"


def test_nothing_is_in_flight_once_the_interpreter_ends() -> None:
    script = """
import atexit
def last():
    y = torch.ones(50, 50) @ torch.ones(50, 50)
    launch()
    print(flight.running is None, float(y[0, 0]))
atexit.register(last)
x = torch.ones(50, 50) * 2
launch()
atexit.unregister(flight._end)
atexit.register(flight._end)
"""
    assert python(BEGIN + script) == "True 50.0\n"


def test_the_environment_turns_it_off() -> None:
    script = """
x = torch.ones(50, 50) * 2
launch()
print(flight.running is None, settings.asynchronous)
"""
    assert python(BEGIN + script, ZEROGRAD_ASYNC="0") == "True False\n"
    assert python(BEGIN + script, ZEROGRAD_ASYNC="1") == "False True\n"


def test_one_thread_computes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "threads", 1)
    x = torch.ones(50, 50) * 2
    launch()
    assert not in_flight()
    assert float(x[0, 0]) == 2


def test_programs_that_are_not_worth_it_compute_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(settings, "engine", "native")
    monkeypatch.setattr(settings, "threads", 3)
    x = torch.ones(50, 50) * 2
    launch()
    assert not in_flight()
    assert float(x[0, 0]) == 2


def test_many_threads_compute_at_once() -> None:
    expected = synchronous(lambda: [_trained(seed) for seed in range(4)])
    found: dict[int, Any] = {}
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            found[seed] = _trained(seed)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(120)
    assert not errors
    assert [found[seed] for seed in range(4)] == expected


_seeding = threading.Lock()


def _trained(seed: int) -> Any:
    with _seeding:  # the generator belongs to all threads
        training = Training(seed=seed)
        float(training.x.sum() + training.y.sum() + sum(one.sum() for one in training.model.parameters()))
    losses = [training.step() for _ in range(8)]
    return [float(loss) for loss in losses], training.state()


def test_another_thread_reads_what_this_one_has_launched() -> None:
    for i in range(10):
        x = torch.full((60, 60), float(i))
        y = started(x @ x)
        found: list[float] = []
        readers = [threading.Thread(target=lambda y=y, found=found: found.append(float(y[7, 7]))) for _ in range(4)]
        for one in readers:
            one.start()
        for one in readers:
            one.join(60)
        assert found == [60.0 * i * i] * 4


def test_the_number_of_threads_may_change_at_any_time() -> None:
    def train(counts: list[int]) -> Any:
        training = Training()
        losses = []
        for count in counts:
            settings.threads = count
            losses.append(training.step())
        return [float(loss) for loss in losses], training.state()

    expected = synchronous(lambda: train([1] * 14))
    assert train([3, 1, 5, 2, 2, 1, 1, 4, 3, 9, 2, 1, 3, 2]) == expected


def test_programs_called_directly_wait_for_what_is_in_flight() -> None:
    from zerograd.engines import native
    from zerograd.ops.elementwise import add

    x = torch.ones(30, 30)
    nodes: list[Any] = []
    trace = recorder.own.trace
    y = x + x
    nodes.append(y._at if hasattr(y, "_at") else y._node())
    leaves = list(trace.leaves)
    compiled = native.compile((add(nodes[0], nodes[0]),))
    z = started(y @ y)
    assert compiled(leaves)[0].tolist() == [[4.0] * 30] * 30
    assert not in_flight()
    assert float(z[0, 0]) == 120


# --- training loops ---------------------------------------------------------------------------------------------------


def _read_loss(training: Training, loss: Any) -> Any:
    return float(loss)


def _write_to_weights(training: Training, loss: Any) -> Any:
    with torch.no_grad():
        training.model[0].weight.detach().numpy()[0] += 0.25


def _scale_weights(training: Training, loss: Any) -> Any:
    with torch.no_grad():
        training.model[2].weight.mul_(0.99)


def _look_at_gradient(training: Training, loss: Any) -> Any:
    grad = training.model[0].bias.grad
    return None if grad is None else grad.tolist()


def _load_a_copy(training: Training, loss: Any) -> Any:
    training.model.load_state_dict(copy.deepcopy(training.model.state_dict()))
    training.optimizer.load_state_dict(training.optimizer.state_dict())


def _new_data(training: Training, loss: Any) -> Any:
    training.x = torch.randn(40, 17)


def _lent_data(training: Training, loss: Any) -> Any:
    training.x = torch.from_numpy(np.asarray(training.x.numpy() * 0.5 + 0.1))


def _saved_parameters(training: Training, loss: Any) -> Any:
    return pickle.dumps([one.detach() for one in training.model.parameters()])


def _clip(training: Training, loss: Any) -> Any:
    if training.model[0].weight.grad is not None:
        return float(torch.nn.utils.clip_grad_norm_(training.model.parameters(), 0.1))
    return None


def _compile(training: Training, loss: Any) -> Any:
    training.step = torch.compile(training.plain)


def _evaluate(training: Training, loss: Any) -> Any:
    with torch.no_grad():
        return training.model(training.x).argmax(1).tolist()


def _collect(training: Training, loss: Any) -> Any:
    gc.collect()


MEDDLING = (
    _read_loss, _write_to_weights, _scale_weights, _look_at_gradient, _load_a_copy, _new_data, _lent_data,
    _saved_parameters, _clip, _compile, _evaluate, _collect,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_random_loops_give_the_same_bits(seed: int, flights: Flights) -> None:
    def run() -> list[Any]:
        recorder.own.forget()
        draw = random.Random(seed)
        training = Training(draw.choice(("Adam", "SGD", "AdamW", "RMSprop")), seed)
        seen: list[Any] = []
        for _ in range(draw.randrange(4, 14)):
            loss = training.step()
            seen.append(loss)
            for action in draw.choices(MEDDLING, k=draw.choice((0, 0, 0, 1, 2))):
                seen.append(action(training, loss))
        return [float(one) if isinstance(one, torch.Tensor) else one for one in seen] + training.state()

    expected = synchronous(run)
    before = flights.count
    assert run() == expected
    assert flights.count > before
