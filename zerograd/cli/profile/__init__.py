"""`zerograd profile`: run a program, and say what the time went into."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from zerograd.cli.profile.report import report
from zerograd.cli.profile.trace import write_trace
from zerograd.engines import profiling


def profile(run: Callable[[], int], rows: int, trace: Path | None) -> int:
    """Run a program, print the profile to standard error, and return the program's exit status.

    Args:
        run: runs the program.
        rows: of the table of kernels.
        trace: file for the Chrome trace; ``None``: none.
    """
    profiling.begin()
    try:
        return run()
    finally:  # whichever way the program ends
        found = profiling.end()
        print(report(found, rows), file=sys.stderr)
        if trace is not None:
            try:
                write_trace(found, trace)
            except OSError as error:
                print(f"zerograd profile: cannot write {trace}: {error.strerror}", file=sys.stderr)
            else:
                print(f"trace: {trace} (open it in chrome://tracing or ui.perfetto.dev)", file=sys.stderr)
