"""`zerograd profile` says which lines the time went into, and changes nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOT = (
    f"import sys; sys.path[:1] = ['/nowhere', {str(ROOT)!r}]; from zerograd.cli.main import main; "
    "sys.exit(main(sys.argv[1:]))"
)
TRAINING = """\
import torch
torch.manual_seed(0)
layer = torch.nn.Linear(48, 32)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
x = torch.randn(64, 48)
for _ in range(5):
    hidden = layer(x)
    values = torch.linalg.qr(hidden).Q
    loss = (values * hidden).exp().mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(loss.item())
"""


def zerograd(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ZEROGRAD_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", BOOT, *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("profile")
    (made / "train.py").write_text(TRAINING)
    return made


@pytest.fixture(scope="module")
def profiled(folder: Path) -> subprocess.CompletedProcess[str]:
    done = zerograd(folder, "profile", "--rows", "99", "--trace", "trace.json", "train.py")
    assert done.returncode == 0, done.stderr
    return done


def row(text: str, *words: str) -> str:
    """The only line of the report with all of these words."""
    found = [line for line in text.splitlines() if all(word in line for word in words)]
    assert len(found) == 1, (words, found, text)
    return found[0]


def test_the_program_computes_the_same(folder: Path, profiled: subprocess.CompletedProcess[str]) -> None:
    plain = zerograd(folder, "run", "train.py")
    assert plain.returncode == 0
    assert len(plain.stdout.splitlines()) == 5
    assert profiled.stdout == plain.stdout


def test_kernels_are_named_with_their_lines(profiled: subprocess.CompletedProcess[str]) -> None:
    report = profiled.stderr
    assert row(report, "product", "matmul [64, 48] @ [48, 32]").endswith("train.py:7")
    assert row(report, "product", "matmul [32, 64] @ [64, 48]").endswith("train.py:7 backward")
    assert any("exp" in line and " rows " in line and "train.py:9" in line for line in report.splitlines())
    assert any(" rows " in line and line.endswith("train.py:11") for line in report.splitlines())
    product = row(report, "product", "matmul [64, 48] @ [48, 32]").split()
    calls, rate = int(product[3]), float(product[4])
    assert calls == 3, "the first step and the second one, which begins with zero_grad, are run by NumPy at first"
    assert rate > 0


def test_what_numpy_computes_is_listed(profiled: subprocess.CompletedProcess[str]) -> None:
    report = profiled.stderr
    fallbacks = report[report.index("Fell back to NumPy:") :].splitlines()
    assert any("qr" in line and line.endswith("train.py:8") for line in fallbacks[1:])
    assert "first runs with NumPy" in report


def test_programs_and_their_memory_are_told(profiled: subprocess.CompletedProcess[str]) -> None:
    assert "3 launches of 1 program" in row(profiled.stderr, "running programs")
    assert "kernels compiled, " in row(profiled.stderr, "making programs")
    head = profiled.stderr.splitlines().index(row(profiled.stderr, "arena MB", "unshared"))
    first = profiled.stderr.splitlines()[head + 1].split()
    assert float(first[5]) > 0, "an arena of no bytes"
    assert first[-1].startswith("train.py:")


def test_compiled_code_comes_from_the_cache_the_second_time(
    folder: Path, profiled: subprocess.CompletedProcess[str]
) -> None:
    assert " 0 kernels compiled" not in row(profiled.stderr, "making programs")
    again = zerograd(folder, "profile", "train.py")
    assert " 0 kernels compiled" in row(again.stderr, "making programs")


def test_the_trace_is_what_chrome_reads(folder: Path, profiled: subprocess.CompletedProcess[str]) -> None:
    del profiled
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    spans = [one for one in events if one["ph"] == "X"]
    assert {one["ph"] for one in events} == {"M", "X"}
    assert all(one["dur"] >= 0 and one["ts"] >= 0 for one in spans)
    assert {"compile", "run", "product", "rows", "numpy", "numpy, first run"} <= {one["cat"] for one in spans}
    runs = [one for one in spans if one["cat"] == "run"]
    assert len(runs) == 3
    products = [one for one in spans if one["cat"] == "product" and one["name"].startswith("matmul [64, 48]")]
    assert {Path(one["args"]["line"]).name for one in products} == {"train.py:7"}
    for one in products:  # within one of the runs: the clocks of kernels and of Python are the same
        assert any(
            run["ts"] <= one["ts"] and one["ts"] + one["dur"] <= run["ts"] + run["dur"] + 0.002 for run in runs
        )  # fmt: skip


def test_a_program_that_fails_has_a_profile_too(folder: Path) -> None:
    (folder / "fails.py").write_text("import torch\nprint(torch.ones(3).sum().item())\nraise SystemExit(3)\n")
    done = zerograd(folder, "profile", "fails.py")
    assert done.returncode == 3
    assert done.stdout == "3.0\n"
    assert "whole program" in done.stderr


def test_arguments_after_the_program_are_its_own(folder: Path) -> None:
    (folder / "echo.py").write_text("import sys\nprint(sys.argv)\n")
    done = zerograd(folder, "profile", "--trace", "other.json", "echo.py", "--trace", "mine", "-m", "x")
    assert done.stdout == "['echo.py', '--trace', 'mine', '-m', 'x']\n"
    assert (folder / "other.json").exists()
    assert "No graph was computed." in done.stderr
