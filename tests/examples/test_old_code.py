"""Old code that is an error in today's PyTorch: zerograd raises the same, and says what to write."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mistake:
    """A program, and what zerograd's message must contain of the way out."""

    name: str
    code: str
    remedies: tuple[str, ...]


LEAF = "W = torch.ones(3, requires_grad=True)\n"
IN_PLACE = ("torch.no_grad()",)
NO_GRADIENT = ("backward()", "is not None")

MISTAKES = [
    Mistake("updating a leaf in place", LEAF + "(W * 2).sum().backward()\nW -= 0.1 * W.grad", IN_PLACE),
    Mistake("a method in place on a leaf", LEAF + "W.zero_()", IN_PLACE),
    Mistake("writing into a leaf by index", LEAF + "W[0] = 5.0", IN_PLACE),
    Mistake("writing into a view of a leaf", LEAF + "W.view(-1)[:2].add_(1)", IN_PLACE),
    Mistake("clearing a gradient before backward", LEAF + "W.grad.data.zero_()", NO_GRADIENT),
    Mistake("clearing a gradient that is None", LEAF + "W.grad.zero_()", NO_GRADIENT),
    Mistake("a step with a gradient that is None", LEAF + "W.data -= 0.1 * W.grad", NO_GRADIENT),
    Mistake(
        "using a gradient after zero_grad",
        LEAF
        + """
optimizer = torch.optim.SGD([W], lr=0.1)
(W * 2).sum().backward()
optimizer.zero_grad()
norm = W.grad.norm()
""",
        NO_GRADIENT,
    ),
    Mistake("backward of a vector", LEAF + "(W * 2).backward()", (".sum()", "gradient")),
    Mistake("backward of what has no gradient", "torch.ones(1).backward()", ("requires gradients",)),
    Mistake(
        "backward twice",
        LEAF + "loss = (W * W).sum()\nloss.backward()\nloss.backward()",
        ("retain_graph=True",),
    ),
    Mistake("a gradient to integers", "torch.tensor([1, 2], requires_grad=True)", ("float",)),
    Mistake("numpy of what requires gradients", LEAF + "W.numpy()", ("detach()",)),
    Mistake("a loss read by index", LEAF + "print((W * 2).sum().data[0])", ("item()",)),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_error_is_pytorchs_and_says_what_to_write(mistake: Mistake, tmp_path: Path) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  which one is what PyTorch tells
        exec(mistake.code, {"torch": torch})
    program = tmp_path / "program.py"
    program.write_text(f"import torch\n{mistake.code}\n")
    done = subprocess.run(
        [sys.executable, "-m", "zerograd", "run", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"\n{raised.type.__name__}: " in done.stderr
    message = done.stderr.rpartition(f"\n{raised.type.__name__}: ")[2]
    for remedy in mistake.remedies:
        assert remedy in message
