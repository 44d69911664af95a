"""The programs that benchmarks measure compute what PyTorch computes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as pytorch

import zerograd
from zerograd.settings import settings

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
BIG = ("gpt_medium",)  # seconds a step
NO_PROGRAMS = ("__init__", "training", "gpt")
NAMES = sorted({path.stem for path in (FOLDER / "workloads").glob("*.py")} - {*BIG, *NO_PROGRAMS})
STEPS = 5


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(settings, "engine", "native")
    yield
    for name in [one for one in sys.modules if one.partition(".")[0] == "workloads"]:
        del sys.modules[name]


def losses(torch: Any, name: str, compiled: bool = False) -> list[float]:
    torch.manual_seed(0)
    training = importlib.import_module(f"workloads.{name}").build(torch, np.random.default_rng(0))
    step = torch.compile(training.step) if compiled else training.step
    return [step().item() for _ in range(STEPS)]


@pytest.mark.filterwarnings("ignore:torch.compile runs")
@pytest.mark.parametrize("name", NAMES)
def test_losses_are_pytorchs(name: str) -> None:
    expected = losses(pytorch, name)
    np.testing.assert_allclose(losses(zerograd, name), expected, rtol=1e-3)
    np.testing.assert_allclose(losses(zerograd, name, compiled=True), expected, rtol=1e-3)
