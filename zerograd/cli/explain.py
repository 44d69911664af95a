"""What to add to an exception that ends a program, where Python's own text leaves a PyTorch user alone."""

from __future__ import annotations

import linecache
import re
from itertools import islice
from pathlib import Path
from types import TracebackType

from zerograd.cli.importer import missing

PACKAGE = str(Path(__file__).parents[1])
GRADIENT = re.compile(r"\.grad\b(?!\s*\()")


def explain(error: BaseException, traceback: TracebackType | None) -> None:
    """Add a note, which Python prints below the message, if the exception is one of the cases here."""
    if isinstance(error, AttributeError) and error.obj is not None:
        owner = error.obj if isinstance(error.obj, type) else type(error.obj)
        if owner.__module__.partition(".")[0] == "zerograd":
            error.add_note(missing(f"{owner.__name__}.{error.name}"))
    elif "NoneType" in str(error) and GRADIENT.search(failing_code(traceback)):
        error.add_note(
            "hint: a gradient is None before the first backward() and after zero_grad(); call backward() "
            "before using it, or ask `if p.grad is not None:`"
        )


def failing_code(traceback: TracebackType | None) -> str:
    """The program's expression that failed, or in which a function of zerograd's did."""
    innermost = None
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(PACKAGE):
            innermost = traceback
        traceback = traceback.tb_next
    if innermost is None:
        return ""
    code = innermost.tb_frame.f_code
    start, stop, first, last = next(islice(code.co_positions(), innermost.tb_lasti // 2, None))
    if start is None or stop is None:
        return ""
    lines = [linecache.getline(code.co_filename, number) for number in range(start, stop + 1)]
    if start == stop:  # columns count bytes
        return lines[0].encode()[first:last].decode(errors="replace")
    return "".join(lines)
