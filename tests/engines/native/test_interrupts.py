"""Ctrl-C while a step is computed: nothing is done twice or left half done, whenever it comes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines.training import Training

import zerograd as torch
from zerograd.engines import native
from zerograd.engines.native import program
from zerograd.ir import interrupts
from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.settings import settings

FILES = ("realize.py", "record.py", "program.py", "quick.py", "binding.py", "chain.py", "flight.py", "trace.py")


@pytest.fixture(autouse=True)
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The native engine, and Python's own handler when a program begins."""
    before = signal.signal(signal.SIGINT, interrupts.PYTHONS)
    monkeypatch.setattr(signal, "default_int_handler", interrupts.PYTHONS)
    monkeypatch.setattr(settings, "engine", "native")
    recorder.own.forget()
    yield
    signal.signal(signal.SIGINT, before)
    interrupts.pending = 0.0
    recorder.own.forget()


@pytest.mark.parametrize("began", [False, True], ids=["waited for", "left to others"])
def test_an_update_is_applied_once_if_the_interrupt_comes_before_it_is_stored(
    began: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(strokes: random.Random | None) -> tuple[list[Any], int]:
        recorder.own.forget()
        training, interrupted = Training(compiled=False), 0
        for _ in range(12):
            training.plain()
            if strokes is not None and strokes.random() < 0.7:
                armed.append(True)
                interrupted += _is_interrupted(launch)
            launch()
        return training.state(), interrupted

    armed: list[bool] = []
    for name in ("__call__", "_begin", "_begin_aside"):
        monkeypatch.setattr(program.Program, name, _interrupted(getattr(program.Program, name), armed))
    monkeypatch.setattr(program, "WORTH", 0 if began else program.WORTH)
    expected, _ = train(None)
    found, interrupted = train(random.Random(0))
    assert interrupted > 5
    assert found == expected


def _interrupted(run: Any, armed: list[bool]) -> Any:
    """A run, at whose end the keys are pressed if it is armed."""

    def running(*arguments: Any) -> Any:
        results = run(*arguments)
        if armed:
            armed.clear()
            signal.raise_signal(signal.SIGINT)
        return results

    return running


@pytest.mark.parametrize("compiled", [False, True])
def test_an_interrupt_may_come_at_any_line(compiled: bool) -> None:
    """What a line of the engine's has begun is finished before the interrupt is raised."""

    def train(strokes: random.Random | None) -> tuple[list[Any], int]:
        recorder.own.forget()
        training, interrupted = Training(compiled), 0
        for i in range(60):
            if compiled:  # a step that is replayed is done as a whole; in the first ones, the function itself runs
                interrupted += _pressing(strokes if i >= 10 else None, training.step)
            else:
                training.plain()
                interrupted += _pressing(strokes, launch)
        return training.state(), interrupted

    expected, _ = train(None)
    found, interrupted = train(random.Random(1))
    assert interrupted > 20
    assert found == expected


def _is_interrupted(function: Any) -> bool:
    try:
        function()
    except KeyboardInterrupt:
        return True
    return False


def _pressing(strokes: random.Random | None, function: Any) -> bool:
    """Run the function, and press the keys at one of its lines; whether it was interrupted."""
    left = strokes.randrange(60) if strokes is not None else -1

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line" and frame.f_code.co_filename.endswith(FILES) and interrupts._inside(frame):
            left -= 1
            if left == 0:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return _is_interrupted(function)
    finally:
        sys.settrace(before)
        launch()


def test_who_presses_again_does_not_wait() -> None:
    native.compile((torch.ones(2)._node(),))

    @interrupts.section
    def stuck() -> None:
        signal.raise_signal(signal.SIGINT)
        interrupts.pending = time.monotonic() - 2 * interrupts.PATIENCE
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second interrupt waited, too")

    with pytest.raises(KeyboardInterrupt):
        stuck()
    assert not interrupts.pending


def test_the_handler_of_the_user_stays() -> None:
    pressed = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    native.compile((torch.ones(2)._node(),))
    signal.raise_signal(signal.SIGINT)
    assert pressed


def test_python_still_finds_its_default_handler_in_force() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    native.compile((torch.ones(2)._node(),))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_interrupt_waits_where_somebody_has_put_back_pythons_handler(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Jupyter does before it runs a cell."""

    def train(strokes: int) -> tuple[list[Any], int]:
        recorder.own.forget()
        training, interrupted = Training(compiled), 0
        for i in range(20):
            if i >= 12 and strokes:
                signal.signal(signal.SIGINT, interrupts.PYTHONS)
                armed.append(True)
            interrupted += _is_interrupted(lambda: (training.step(), launch()))
        return training.state(), interrupted

    armed: list[bool] = []
    for name in ("__call__", "run_small", "_begin_aside"):
        monkeypatch.setattr(program.Program, name, _interrupted(getattr(program.Program, name), armed))
    expected, _ = train(0)
    found, interrupted = train(1)
    assert interrupted == 8
    assert found == expected


ASYNCIO = """
import asyncio, signal, sys
sys.path.insert(0, {folder!r})
import zerograd as torch
from zerograd.engines.native import program
from engines.native.test_interrupts import Training, _interrupted

def main():
    training, steps, seen = Training({compiled}), 0, []

    async def train():
        nonlocal steps
        armed = []
        for name in ("__call__", "run_small"):
            setattr(program.Program, name, _interrupted(getattr(program.Program, name), armed))
        try:
            while True:
                if steps == 15:
                    seen.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
                    armed.append(True)
                training.step().item()
                steps += 1
                assert steps < 100
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    training.step().item()  # native programs are made before asyncio looks for the default handler
    seen.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    try:
        asyncio.run(train())
    except KeyboardInterrupt:
        seen.append("interrupted")
    seen.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    print([steps, *seen])
    print(training.state())
    twin = Training({compiled})
    for _ in range(steps + 1):
        twin.step().item()
    print(twin.state())
    signal.raise_signal(signal.SIGINT)

main()
"""


@pytest.mark.parametrize("compiled", [False, True])
def test_asyncio_cancels_the_main_task_and_no_step_is_half_done(compiled: bool) -> None:
    script = ASYNCIO.format(folder=str(Path(__file__).parents[2]), compiled=compiled)
    environment = {**os.environ, "ZEROGRAD_ENGINE": "native"}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    told, state, expected = ran.stdout.splitlines()
    assert eval(told) == [16, True, False, "cancelled", "interrupted", True]
    assert state == expected
    assert ran.stderr.endswith("KeyboardInterrupt\n")  # afterwards, the keys end the program as ever
