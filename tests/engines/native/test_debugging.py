"""ZEROGRAD_DEBUG: each word tells what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from zerograd.engines.native.debugging import TOLD
from zerograd.settings import DEBUG

ROOT = Path(__file__).parents[3]
PROGRAM = """\
import zerograd as torch
x = torch.randn(12, 34, generator=torch.Generator().manual_seed(0), requires_grad=True)
y = torch.linalg.qr(x @ torch.randn(34, 5, generator=torch.Generator().manual_seed(1))).Q.exp()
y.sum().backward()
print(x.grad.sum().item())
"""


def run(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(PROGRAM)
    environment = {
        **os.environ, "ZEROGRAD_DEBUG": words, "ZEROGRAD_ENGINE": "native", "PYTHONPATH": str(ROOT),
        "ZEROGRAD_CACHE_DIR": str(folder / "cache"),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "program.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


def test_every_word_has_a_function() -> None:
    assert set(TOLD) == set(DEBUG)


def test_graphs_are_printed_before_and_after_the_passes(tmp_path: Path) -> None:
    text = run(tmp_path, "graphs").stderr
    before, after = text.split("--- after the passes ---")
    assert "program.py:5 ---" in before
    assert "= matmul(" in before
    assert "= matmul(" in after
    assert "variable" in before
    assert "variable" not in after
    assert not (tmp_path / "zerograd_debug").exists()


def test_instructions_are_listed_with_their_lines(tmp_path: Path) -> None:
    lines = run(tmp_path, "instructions").stderr.splitlines()
    assert any("matmul" in line and "program.py:3" in line and " units, " in line for line in lines)
    assert any(line.startswith("NumPy   qr [12, 5]") and line.endswith("program.py:3") for line in lines)
    assert any("backward" in line for line in lines)
    assert lines[-1].startswith("arena ")


def test_kernels_are_written_as_ir_and_assembly(tmp_path: Path) -> None:
    done = run(tmp_path, "kernels")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    texts = sorted((tmp_path / "zerograd_debug").glob("*.ll"))
    assert texts
    for path in texts:
        assert f"define void @{path.stem}(" in path.read_text()
        assert f"{path.stem}:" in path.with_suffix(".s").read_text()


def test_fallbacks_are_warned_of(tmp_path: Path) -> None:
    text = run(tmp_path, "fallbacks").stderr
    assert "UserWarning: NumPy computes qr [12, 5]" in text
    assert "program.py:3" in text
    assert "matmul" not in text


def test_nothing_changes_what_is_computed(tmp_path: Path) -> None:
    silent, told = run(tmp_path, ""), run(tmp_path, "graphs, instructions,kernels,fallbacks")
    assert silent.stderr == ""
    assert told.stderr != ""
    assert float(silent.stdout) != 0.0
    assert told.stdout == silent.stdout


def test_other_words_are_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "graphs,everything")
    assert done.returncode == 1
    assert "it has everything" in done.stderr
