"""Training steps before and after the passes, as texts in ``golden``.

With EXPECTTEST_ACCEPT=1 the texts are written anew; read what changes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from passes.checked_engine import Checked, checked
from passes.models import GOLDEN

import zerograd
from zerograd.ir.traverse import format_graph, topological
from zerograd.runtime import realize

__all__ = ["checked"]
FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", GOLDEN)
def test_a_training_step_becomes(name: str, checked: Checked) -> None:
    zerograd.manual_seed(0)
    step = GOLDEN[name]()
    for _ in range(3):
        step()
    realize.launch()
    sizes = f"{len(topological(checked.before))} -> {len(topological(checked.after))} nodes"
    text = f"{sizes}\n\nBefore\n{format_graph(checked.before)}\n\nAfter\n{format_graph(checked.after)}\n"
    file = FOLDER / f"{name}.txt"
    if os.environ.get("EXPECTTEST_ACCEPT"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
