"""The example programs print the same under PyTorch and under `zerograd run`."""

from __future__ import annotations

import math
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:e[-+]?\d+)?|\b(?:nan|inf)\b")
RELATIVE = 1e-4


def differences(expected: str, found: str) -> list[str]:
    """The lines that say something else: words must be equal, numbers may differ as `same_number` allows."""
    pairs = zip(expected.splitlines(), found.splitlines(), strict=True)
    return [f"{a}\n  but: {b}" for a, b in pairs if not same_line(a, b)]


def same_line(a: str, b: str) -> bool:
    """Whether two lines have the same words (whatever the space between) and the same numbers."""
    if "".join(NUMBER.sub("#", a).split()) != "".join(NUMBER.sub("#", b).split()):
        return False
    return all(same_number(x, y) for x, y in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True))


def same_number(a: str, b: str) -> bool:
    """Whether two printed numbers agree to RELATIVE or to a unit of the last digit; integers exactly."""
    if not {".", "e", "n"} & set(a + b):
        return int(a) == int(b)
    unit = 0.0 if "e" in a + b else 10.0 ** -min(len(text.partition(".")[2]) for text in (a, b))
    return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=1.01 * unit) or a == b


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_prints_the_same_as_under_pytorch(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    expected = capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "zerograd", "run", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(expected.splitlines()) > 3
    assert differences(expected, done.stdout) == []


def test_the_comparison_finds_differences() -> None:
    assert not differences("loss 1.234567  right 3 of 4", "loss 1.234600  right 3 of  4")
    assert differences("loss 1.234567", "loss 1.234767")
    assert differences("right 3", "right 4")
    assert differences("loss 0.5 equal True", "loss 0.5 equal False")
    assert not differences("at 0.000996", "at 0.000997")
    assert differences("at 0.000996", "at 0.000998")
    assert differences("nan", "0.5")
