"""The Python code in README and docs runs as it stands there."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zerograd import errors
from zerograd.ir.graph import registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```python(?P<kind>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"#\s*(?P<type>\w+)(?::\s*(?P<text>.+))?")


@dataclass(frozen=True)
class Block:
    """Code between fences. Args: line: of the first line of code. kind: "" or "error"."""

    line: int
    kind: str
    code: str


def blocks(page: str) -> list[Block]:
    """The Python blocks of a page."""
    return [
        Block(page.count("\n", 0, match.start("code")) + 1, match["kind"].strip(), match["code"])
        for match in FENCE.finditer(page)
    ]


def execute(page: str, name: str) -> int:
    """Execute a page's blocks, one after the other in one namespace, and return how many there are.

    A block fenced as ```python error must raise what its first comment names, `# RuntimeError` or
    `# RuntimeError: part of the message`.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    found = blocks(page)
    for block in found:
        assert block.kind in ("", "error"), f"{name}:{block.line}: fenced as python {block.kind}"
        assert not re.search(r"^\s*(import|from) torch\b", block.code, re.MULTILINE), (
            f"{name}:{block.line}: imports PyTorch itself; write `import zerograd as torch`"
        )
        # Blank lines before the code make a traceback show the line of the page.
        code = compile("\n" * (block.line - 1) + block.code, name, "exec", dont_inherit=True)
        if block.kind == "":
            exec(code, namespace)
            continue
        expected = EXPECTED.search(block.code)
        assert expected, f"{name}:{block.line}: no comment names the error"
        kind = getattr(builtins, expected["type"], None) or getattr(errors, expected["type"])
        with pytest.raises(kind) as raised:
            exec(code, namespace)
        assert (expected["text"] or "").strip() in str(raised.value)
        assert type(raised.value).__name__ == expected["type"]
    return len(found)


@pytest.fixture
def known_ops() -> Iterator[None]:
    """Takes the ops that a page defines out of the table again."""
    known = set(registry)
    yield
    for name in registry.keys() - known:
        del registry[name]


@pytest.mark.usefixtures("known_ops")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_code_on_the_page_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # what the code writes goes there
    page = path.read_text()
    assert execute(page, path.name) == page.count("\n```python"), "a fence that is not closed, or is indented"


def test_a_page_that_fails_is_found() -> None:
    with pytest.raises(ZeroDivisionError):
        execute("text\n```python\nx = 0\n```\nmore\n```python\n1 / x\n```\n", "page.md")
    with pytest.raises(pytest.fail.Exception):
        execute("```python error\n# ValueError: no\nx = 1\n```\n", "page.md")
    with pytest.raises(AssertionError):
        execute("```python error\nraise ValueError\n```\n", "page.md")
    with pytest.raises(AssertionError):
        execute("```python error\nint('x')  # ValueError: something else\n```\n", "page.md")
    with pytest.raises(AssertionError):
        execute("```python\nimport torch.nn\n```\n", "page.md")
    assert execute("```python error\nint('x')  # ValueError: invalid literal\n```\n", "page.md") == 1
