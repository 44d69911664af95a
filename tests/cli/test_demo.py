"""`zerograd demo` learns the digits, compares, and draws what it found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zerograd
from zerograd import version
from zerograd.cli.demo.comparison import Run, angle
from zerograd.cli.demo.picture import draw
from zerograd.cli.demo.progress import Lines
from zerograd.cli.demo.words import sentences, table

ROOT = Path(__file__).parents[2]


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`zerograd arguments`."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from zerograd.cli.main import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def runs(**ends: float) -> list[Run]:
    """Three runs of 20 steps whose loss goes from 2 to the given ends."""
    made = []
    for name, angle_ in (("cleared", 0.0), ("kept", 80.0), ("halved", 30.0)):
        losses = np.linspace(2.0, ends[name], 20).tolist()
        losses[-2:] = [ends[name]] * 2
        made.append(Run(name, losses, [angle_] * 20))
    return made


def test_the_demo_learns_compares_and_draws(tmp_path: Path) -> None:
    done = command("demo", "--out", "pictures", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test accuracy (\d+\.\d+) % \((\d+) of 359\)", done.stdout)
    assert accuracy
    assert float(accuracy[1]) >= 97
    assert float(accuracy[1]) == round(100 * int(accuracy[2]) / 359, 2)
    rows = re.findall(r"^ *\d+-\d+ +([\d.]+) +([\d.]+)° +([\d.]+) +([\d.]+)° +([\d.]+) +([\d.]+)°$", done.stdout, re.M)
    series = np.array(rows, float)
    assert series.shape == (10, 6)
    assert (series[:, 1] < 0.1).all(), "with zero_grad the applied gradient is the true one"
    assert (series[:, 3] > 45).all(), "without it, it is not"
    assert series[-1, 2] > 3 * series[-1, 0], "and training fails"
    assert "\nWith zero_grad " in done.stdout
    assert "\nWithout it " in done.stdout
    assert "\nHalved, " in done.stdout
    assert (tmp_path / "pictures" / "zero_grad.png").read_bytes().startswith(b"\x89PNG")
    assert "picture: pictures/zero_grad.png" in done.stdout
    assert "training" in done.stderr, "the progress bar is on standard error"


def test_a_bad_data_folder_ends_in_one_line(tmp_path: Path) -> None:
    done = command("demo", "--data", "absent", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("zerograd demo: absent is not a folder; an MNIST folder holds train-images")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("epochs", ["0", "-1", "many"])
def test_bad_epochs_are_refused(tmp_path: Path, epochs: str) -> None:
    done = command("demo", f"--epochs={epochs}", folder=tmp_path)
    assert done.returncode == 2
    assert "--epochs" in done.stderr


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert command("--version", folder=tmp_path).stdout.startswith(f"zerograd {version.zerograd} (Python 3.")
    assert f'\nversion = "{version.zerograd}"\n' in (ROOT / "pyproject.toml").read_text()


def test_the_sentences_follow_the_numbers() -> None:
    first, second, third = sentences(runs(cleared=0.1, kept=1.0, halved=0.11))
    assert "fell, from 1.950 to 0.100" in first
    assert "80° off the true one" in second
    assert "60° in 100 % of the steps" in second
    assert second.endswith("1.000, 10.0 times as high as with zero_grad.")
    assert third.endswith("0.110, about where zero_grad ended.")
    first, second, third = sentences(runs(cleared=4.0, kept=float("nan"), halved=1.0))
    assert "did not fall, from 2.053 to 4.000" in first
    assert second.endswith("nan, no number any more.")
    assert third.endswith("4.0 times lower than with zero_grad.")


def test_the_table_covers_every_step() -> None:
    lines = table(runs(cleared=0.0, kept=1.0, halved=0.5)).splitlines()
    assert len(lines) == 12
    assert lines[2].split()[0] == "1-2"
    assert lines[-1].split() == ["19-20", "0.0000", "0.0°", "1.0000", "80.0°", "0.5000", "30.0°"]


def test_the_angle_is_that_of_the_whole_gradient() -> None:
    a = [zerograd.tensor([1.0, 0.0]), None, zerograd.tensor([[0.0]])]
    b = [zerograd.tensor([1.0, 0.0]), None, zerograd.tensor([[1.0]])]
    assert angle(a, b) == pytest.approx(45.0)
    assert angle(a, a) == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(angle(a, [zerograd.zeros(2), None, zerograd.zeros(1, 1)]))


def test_without_matplotlib_there_is_no_picture_but_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "zerograd[plot]" in draw(runs(cleared=0.0, kept=1.0, halved=0.5), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_tqdm_progress_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(3, "training") as bar:
        for step in range(3):
            bar.set_postfix_str(f"loss {step}")
            bar.update()
    assert capsys.readouterr().err == "training: 3 of 3  loss 2\n"
