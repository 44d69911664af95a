"""A profile as a Chrome trace: what ran when, on which thread."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from zerograd.engines.profiling import Profile


def write_trace(profile: Profile, path: Path) -> None:
    """Write the events to a file that chrome://tracing and Perfetto read.

    Source: Trace Event Format, Google, 2016: complete events (``X``), times in microseconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"traceEvents": events(profile), "displayTimeUnit": "ms"}))


def events(profile: Profile) -> list[dict[str, Any]]:
    """The events, threads numbered in the order in which they appear, after the names of process and threads."""
    process = os.getpid()
    threads: dict[int, int] = {}
    found: list[dict[str, Any]] = []
    for one in profile.events:
        thread = threads.setdefault(one.thread, len(threads))
        found.append(
            {
                "name": one.title, "cat": one.kind, "ph": "X", "pid": process, "tid": thread,
                "ts": (one.start - profile.started) / 1e3, "dur": (one.end - one.start) / 1e3,
                "args": {key: value for key, value in (one.details or {}).items() if value != ""},
            }
        )  # fmt: skip
    names = [_name("process_name", process, 0, "zerograd")]
    names += [_name("thread_name", process, number, _thread_name(number)) for number in threads.values()]
    return names + found


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _thread_name(number: int) -> str:
    return "Python" if number == 0 else f"thread {number}"
