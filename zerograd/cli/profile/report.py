"""A profile as text: a summary, a table of kernels, what fell back to NumPy, the programs and their memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from zerograd.engines.describing import place
from zerograd.engines.profiling import FALLBACK, FIRST_RUN, Profile, Work

MEGA, GIGA = 1e6, 1e9
MOST_PROGRAMS = 5
WIDEST = 46  # characters of a title


def report(profile: Profile, rows: int) -> str:
    """The whole text. Measures the machine's limits, a fraction of a second, if kernels were run."""
    limits = _limits() if profile.programs else None
    parts = [_summary(profile), _kernels(profile, rows, limits), _fallbacks(profile), _programs(profile)]
    return "\n\n".join(part for part in parts if part)


def _limits() -> Any:
    from zerograd.engines.native import limits

    return limits.measure()


# --- the summary ------------------------------------------------------------------------------------------------------


def _summary(profile: Profile) -> str:
    wall = (profile.ended - profile.started) * 1e-9
    programs = profile.programs
    running, making = sum(one.seconds for one in programs), sum(one.making for one in programs)
    loading = sum(one.loading for one in programs)
    first = sum(work.seconds for work in profile.works.values() if work.kind == FIRST_RUN)
    rest = max(wall - running - making - first, 0.0)
    launches = _count(sum(one.runs for one in programs), "launch", "launches")
    lines = [
        ("whole program", wall, ""),
        (
            "running programs",
            running,
            f"{launches} of {_count(len(programs), 'program')}",
        ),
        ("making programs", making, _kernels_made(programs)),
        ("  of that code", loading, "LLVM, or reading from the disk"),
        ("first runs with NumPy", first, "of graphs that had not come back yet"),
        ("Python and the rest", rest, "recording, data, everything else in the program"),
    ]
    return "\n".join(f"{name:22} {seconds:9.3f} s  {share(seconds, wall):>6}  {note}" for name, seconds, note in lines)


def _kernels_made(programs: Sequence[Any]) -> str:
    compiled, found = sum(one.compiled for one in programs), sum(one.found for one in programs)
    return f"{_count(compiled, 'kernel')} compiled, {found} found in the cache"


def _count(number: int, word: str, several: str | None = None) -> str:
    return f"{number} {word if number == 1 else several or word + 's'}"


def share(part: float, whole: float) -> str:
    """A percentage."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


# --- kernels ----------------------------------------------------------------------------------------------------------


def _kernels(profile: Profile, rows: int, limits: Any) -> str:
    works = sorted((work for work in profile.works.values() if work.calls), key=lambda work: -work.seconds)
    if not works:
        return "No graph was computed."
    total = sum(work.seconds for work in works)
    head = ("ms", "share", "calls", "GFLOP/s", "GB/s", "kernel", "computes", "line")
    table = [head, *(_row(work, total) for work in works[:rows])]
    lines = _aligned(table, left=3)
    if len(works) > rows:
        rest = sum(work.seconds for work in works[rows:])
        lines.append(f"and {len(works) - rows} more, {rest * 1e3:.1f} ms, {share(rest, total)} (see --rows)")
    notes = "Times are added up over threads, so the rates are those of one thread."
    if limits is not None:
        flops, bandwidth = limits.flops / limits.threads / GIGA, limits.bandwidth / limits.threads / GIGA
        notes += (
            f"\nThis machine's limits, for each of {_count(limits.threads, 'thread')}: {flops:.0f} GFLOP/s (float32 "
            f"products), {bandwidth:.1f} GB/s (memory; data in a cache is faster)."
        )
    return "\n".join([*lines, notes])


def _row(work: Work, total: float) -> tuple[str, ...]:
    seconds = max(work.seconds, 1e-9)
    rate = f"{work.flops * work.calls / seconds / GIGA:.1f}" if work.flops else ""
    bandwidth = f"{work.nbytes * work.calls / seconds / GIGA:.1f}"
    return (
        f"{work.seconds * 1e3:.2f}", share(work.seconds, total), str(work.calls), rate, bandwidth, work.kind,
        _short(work.title), _line(work),
    )  # fmt: skip


def _line(work: Work) -> str:
    if work.origin is None:
        return ""
    return place(work.origin.line) + (" backward" if work.origin.backward else "")


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def _aligned(table: Sequence[Sequence[str]], left: int) -> list[str]:
    """Columns of equal width: numbers to the right, the last ``left`` ones to the left."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    first = len(widths) - left
    return [
        "  ".join(
            cell.rjust(width) if i < first else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


# --- fallbacks, programs ----------------------------------------------------------------------------------------------


def _fallbacks(profile: Profile) -> str:
    works = sorted(_of_kind(profile, FALLBACK), key=lambda work: -work.seconds)
    if not profile.programs:
        return ""
    if not works:
        return "Nothing in compiled programs fell back to NumPy."
    table = [(f"{work.seconds * 1e3:.2f} ms", str(work.calls), work.title, _line(work)) for work in works]
    return "\n".join(["Fell back to NumPy:", *_aligned(table, left=2)])


def _of_kind(profile: Profile, kind: str) -> Iterable[Work]:
    return (work for work in profile.works.values() if work.kind == kind and work.calls)


def _programs(profile: Profile) -> str:
    programs = sorted((one for one in profile.programs), key=lambda one: -one.seconds)
    if not programs:
        return ""
    head = ("program", "runs", "ms each", "kernels", "phases", "arena MB", "unshared", "in place", "first run at")
    table = [head, *(_program_row(one) for one in programs[:MOST_PROGRAMS])]
    lines = _aligned(table, left=1)
    if len(programs) > MOST_PROGRAMS:
        lines.append(f"and {len(programs) - MOST_PROGRAMS} more")
    note = (
        "arena: memory for temporaries, which share it (unshared: what they would take); in place: results that were "
        "written\nover arrays that nobody needs any more, of all results, in each run"
    )
    return "\n".join([*lines, note])


def _program_row(one: Any) -> tuple[str, ...]:
    memory = one.memory()
    runs = max(one.runs, 1)
    return (
        str(one.number), str(one.runs), f"{one.seconds * 1e3 / runs:.3f}", str(len(one.works)), str(one.phases()),
        f"{memory['arena'] / MEGA:.2f}", f"{memory['temporaries'] / MEGA:.2f}",
        f"{one.in_place / runs:.0f}/{memory['number of results']}", os.path.basename(one.line),
    )  # fmt: skip
