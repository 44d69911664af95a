"""A fault of an engine's own is raised, and never hidden by computing with another engine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engines.training import Training

import zerograd as torch
from zerograd.engines import faults, flight, reference
from zerograd.engines.native import kinds, lower, program, quick, unchanged
from zerograd.ir.record import recorder
from zerograd.program import glide
from zerograd.settings import settings

kinds.registered()


@pytest.fixture(autouse=True, params=["auto", "native"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "engine", request.param)
    recorder.own.forget()
    yield
    recorder.own.forget()


def broken(*_: object, **__: object) -> Any:
    raise AttributeError("there is no such thing")


def fails(run: Callable[[], object], times: int = 8) -> pytest.ExceptionInfo[RuntimeError]:
    """A step may run on the reference once before it is compiled."""

    def repeated() -> None:
        for _ in range(times):
            run()

    with pytest.raises(RuntimeError, match="the engine has failed") as found:
        repeated()
    return found


PLACES = {
    "lowering": (lower.Lowering, "_lower_alone"),
    "passes": (lower.Lowering, "__init__"),
    "linking": (program.jit, "load"),
    "entering": (program.Program, "_enter"),
    "running": (program.Schedule, "run"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_where_a_program_is_made_or_run_is_raised(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training()
    monkeypatch.setattr(program, "recall", lambda _: None)  # no recipe from the disk: it is made
    owner, name = PLACES[place]
    monkeypatch.setattr(owner, name, broken)
    found = fails(lambda: training.step().item())
    text = str(found.value)
    assert "AttributeError" in text
    assert "there is no such thing" in text
    assert "test_faults.py" in text  # where it was raised, and the user's line
    assert "report" in text
    assert isinstance(found.value.__cause__, AttributeError)


def test_a_fault_in_lowering_names_the_op_and_the_line_that_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "recall", lambda _: None)
    monkeypatch.setattr(lower.Lowering, "_lower", broken)
    x = torch.ones(5, requires_grad=True)

    def run() -> Any:
        y = x.tanh()
        return y.tolist()

    text = str(fails(run).value)
    assert "about           tanh [5]\n" in text
    first = run.__code__.co_firstlineno
    assert f"recorded        {__file__}:{first + 1}\n" in text
    assert f"computed        {__file__}:{first + 2}\n" in text


@pytest.mark.parametrize("kind", [ImportError, AssertionError, KeyError, IndexError, RuntimeError, NotImplementedError])
def test_whatever_it_is(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise kind("oh")

    x = torch.ones(3)
    monkeypatch.setattr(program, "compile", fail)
    assert isinstance(fails(lambda: (x * 3.0).tolist()).value.__cause__, kind)


def test_what_is_computed_afterwards_does_not_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(4.0)
    lost = other = x
    with monkeypatch.context() as patch:
        patch.setattr(program, "compile", broken)
        for _ in range(3):
            lost, other = x * 2.0, x + 1.0
            try:
                other.tolist()
            except RuntimeError:
                break
    for one in (lost, other):
        with pytest.raises(RuntimeError, match="the engine has failed"):
            one.tolist()
        with pytest.raises(RuntimeError, match="the engine has failed"):
            (one + 1.0).tolist()
    for _ in range(3):
        assert (x * 2.0).tolist() == [0.0, 2.0, 4.0, 6.0]


@pytest.mark.parametrize("place", [(quick.Quick, "run"), (glide.Glide, "run"), (glide.Glide, "_compose")])
def test_a_fault_in_replays_is_raised(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if place[0] is glide.Glide and unchanged._methods() is None:
        pytest.skip("without versions of dictionaries, no replay glides")
    training = Training()
    step = torch.compile(training.step)
    for _ in range(12):
        step()
    if place[1] == "_compose":
        monkeypatch.setattr(glide.Glide, "run", broken_after(glide.Glide.run))
    else:
        monkeypatch.setattr(place[0], place[1], broken)
    fails(step)
    with pytest.raises(RuntimeError, match="the engine has failed"):
        next(iter(training.model.parameters())).tolist()


def broken_after(run: Any) -> Any:
    def running(*arguments: Any) -> Any:
        run(*arguments)
        return broken()

    return running


@pytest.mark.parametrize("compiled", [False, True])
def test_refused_values_are_no_fault(compiled: bool) -> None:
    x, at = torch.arange(4.0), torch.tensor([1, 2, 9])

    def look_up(at: Any) -> Any:
        return torch.nn.functional.embedding(at.clone(), x.reshape(4, 1)), x * 2.0

    run = torch.compile(look_up) if compiled else look_up
    for _ in range(4):
        bad, good = run(at)
        assert good.tolist() == [0.0, 2.0, 4.0, 6.0]
        with pytest.raises(IndexError):
            bad.tolist()


def test_a_step_for_which_there_is_no_memory_is_computed_op_by_op_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    x = torch.arange(3.0)
    monkeypatch.setattr(program.Program, "_enter", exhausted)
    told: list[Any] = []
    for _ in range(3):  # the first run may be the reference's
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert (x * 2.0).tolist() == [0.0, 2.0, 4.0]
        told = caught
    assert ["more memory than there is" in str(one.message) for one in told] == [True]


def test_a_wrong_report_of_a_kernel_is_a_fault() -> None:
    x = torch.ones(3)
    node = (x * 2.0)._node()
    array = reference.compile((node,))(recorder.own.trace.leaves)[0].copy()
    flight.recover((node,), recorder.own.trace.leaves, [array])
    with pytest.raises(RuntimeError, match="the engine has failed"):
        flight.check([array])
    del flight.spoiled[id(array)]


SCRIPT = """
    import sys, warnings
    {how}
    import zerograd as torch
    x, y = torch.arange(6.0), torch.ones(3)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(4):
            assert (x * 2.0).tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
            assert (y + 2.0).tolist() == [3.0, 3.0, 3.0]
    print([str(one.message) for one in told if "llvmlite" in str(one.message)])
"""
BREAKAGES = {
    "missing": 'sys.modules["llvmlite"] = None',
    "broken": """
    import types, importlib.machinery
    class Library(types.ModuleType):
        def __getattr__(self, name): raise OSError("libllvmlite.so: cannot open shared object file")
    sys.modules["llvmlite"] = package = types.ModuleType("llvmlite")
    package.__spec__ = importlib.machinery.ModuleSpec("llvmlite", None, origin="/nowhere/llvmlite/__init__.py")
    sys.modules["llvmlite.binding"] = package.binding = Library("llvmlite.binding")""",
}


@pytest.mark.parametrize("how", BREAKAGES)
def test_without_llvmlite_the_reference_computes_and_says_so_once(how: str, tmp_path: Path) -> None:
    script = textwrap.dedent(SCRIPT.format(how=BREAKAGES[how]))
    environment = {**os.environ, "ZEROGRAD_ENGINE": settings.engine, "ZEROGRAD_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (told,) = eval(ran.stdout)
    assert "NumPy" in told
    assert "pip install" in told


def test_a_missing_module_of_the_engine_itself_is_no_missing_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    from zerograd.engines import native

    monkeypatch.setitem(sys.modules, "zerograd.engines.native.program", None)
    assert issubclass(faults.Uncompilable, ImportError)
    with pytest.raises(ImportError):
        native.compile((torch.ones(2)._node(),))
    x = torch.ones(7)
    assert isinstance(fails(lambda: (x * 3.0).tolist()).value.__cause__, ImportError)


@pytest.mark.parametrize("number", [2j, 1 - 1j, complex("inf")])
def test_complex_numbers_are_no_fault(number: complex) -> None:
    x, c = torch.tensor([1.0, 2.0]), torch.tensor([1 + 1j, 2 - 3j])
    for _ in range(3):
        assert (c + number).tolist() == [1 + 1j + number, 2 - 3j + number]
        assert (x != number).tolist() == [True, True]
        assert torch.where(x > 1.0, x, number).tolist() == [number, 2 + 0j]


@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_whole_numbers_beyond_int64_are_left_to_the_reference(number: int) -> None:
    x, i = torch.tensor([1.0, 2.0]), torch.tensor([1, 2])
    for _ in range(6):  # the same programs with small numbers go the quick way
        assert (x * 3).tolist() == [3.0, 6.0]
        assert (i * 3).tolist() == [3, 6]
    for _ in range(3):
        assert (x * number).tolist() == [float(number), 2.0 * number]
        assert (i * number).tolist() == [(number + 2**63) % 2**64 - 2**63, (2 * number + 2**63) % 2**64 - 2**63]
