"""Steps are compared, so one engine computes all of them, whenever a graph is met again."""

from __future__ import annotations

import os

import pytest

from zerograd.ir.record import recorder
from zerograd.runtime.realize import launch
from zerograd.settings import settings


@pytest.fixture(autouse=True)
def one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """All graphs on one engine, with nothing compiled before: the reference, unless the environment names another."""
    launch()
    recorder.own.forget()
    monkeypatch.setattr(settings, "engine", os.environ.get("ZEROGRAD_ENGINE", "reference"), raising=False)
