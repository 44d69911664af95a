"""Writes docs/performance.md: every figure that the project claims about speed and memory, with its command.

    python benchmarks/performance.py                 all of it, about half an hour; the machine must be quiet
    python benchmarks/performance.py --quick         short and noisy, to see that it works
    python benchmarks/performance.py --only time,first --workload gpt_small
    python benchmarks/performance.py --workloads DIR        programs of another folder (DIR/workloads/NAME.py)

Every measurement is a fresh process. The frameworks take turns, so that a change in the machine's speed meets all of
them; figures are medians over the rounds. PyTorch is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WORKLOADS = ("mlp_small", "mlp_large", "cnn", "lstm", "gpt_small", "gpt_medium")
OTHERS = ("dqn", "vae", "gan", "encoder", "series", "recommender", "unet", "tabular", "mobile", "accumulate")
Figures = dict[str, Any]
Table = list[Sequence[str]]


class Bench:
    """Runs measurements in fresh processes.

    Attributes:
        frameworks: those that are installed.
        cache: folder of compiled code that measurements share, so that only the first of a program compiles.
    """

    def __init__(self, options: argparse.Namespace, cache: Path) -> None:
        self.workloads: Sequence[str] = options.workload or WORKLOADS
        self.folder: Path | None = options.workloads
        self.rounds = 1 if options.quick else options.rounds
        self.seconds = 0.05 if options.quick else 1.0
        self.cache = cache
        self.frameworks = [name for name in ("zerograd", "torch") if find_spec(name)]
        self.threads = os.cpu_count() or 1
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        """A line of progress."""
        print(f"{time.monotonic() - self.begun:6.0f} s  {text}", file=sys.stderr, flush=True)

    def command(self, *words: object) -> list[str]:
        folder = ["--workloads", str(self.folder)] if self.folder and words[0] == "step.py" else []
        return [sys.executable, str(HERE / str(words[0])), *map(str, words[1:]), *folder]

    def run(self, *words: object, **environment: str) -> str | None:
        """What a script of this folder prints last, or ``None`` if it fails, which is said."""
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        known = {**os.environ, "PYTHONPATH": paths, "ZEROGRAD_CACHE_DIR": str(self.cache), **environment}
        done = subprocess.run(self.command(*words), env=known, capture_output=True, text=True, check=False)
        if done.returncode:
            self.say(f"FAILED {words}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
            return None
        return done.stdout.strip()

    def figures(self, *words: object, **environment: str) -> Figures | None:
        printed = self.run(*words, **environment)
        return None if printed is None else json.loads(printed.splitlines()[-1])

    def in_turn(self, variants: dict[Any, Sequence[object]], **environment: str) -> dict[Any, Figures]:
        """The median figures of each variant of ``step.py``, measured in turns; without those that fail."""
        rounds: dict[Any, list[Figures]] = {key: [] for key in variants}
        for _ in range(self.rounds):
            for key, words in variants.items():
                found = self.figures("step.py", *words, "--seconds", self.seconds, **environment)
                if found is not None:
                    rounds[key].append(found)
        return {key: _medians(found) for key, found in rounds.items() if len(found) == self.rounds}


def _medians(found: list[Figures]) -> Figures:
    return {key: statistics.median(one[key] for one in found) for key in found[0] if key != "losses"}


# --- the sections -----------------------------------------------------------------------------------------------------


def limits(bench: Bench) -> list[str]:
    """The machine's limits on one thread and on all."""
    table: Table = [("threads", "GFLOP/s, float32 products", "GB/s, memory")]
    for threads in dict.fromkeys((1, bench.threads)):
        bench.say(f"limits, {threads} threads")
        found = bench.figures("limits.py", "--threads", threads, "--seconds", bench.seconds)
        if found:
            table.append((str(threads), f"{found['flops'] / 1e9:.0f}", f"{found['bandwidth'] / 1e9:.1f}"))
    return _section("What the machine can do", "python benchmarks/limits.py --threads N", table)


MODES = ("loop", "compiled")
MODES_COMMAND = "python benchmarks/step.py zerograd|torch loop|compiled PROGRAM"


def step_times(bench: Bench) -> list[str]:
    """A step in both modes, and the share of the machine's limit."""
    head = ("program", "loop", "compiled", "PyTorch", "its compile", "loop is", "compiled is", "share of the limit")
    table: Table = [head]
    most = bench.figures("limits.py", "--seconds", bench.seconds)
    for name in bench.workloads:
        bench.say(f"step of {name}")
        variants = {(one, mode): (one, mode, name) for mode in MODES for one in bench.frameworks}
        found = bench.in_turn(variants)
        needs = bench.figures(
            "step.py", "zerograd", "loop", name, "--count", "--seconds", 0.01, ZEROGRAD_ENGINE="native"
        )
        times = {key: one["seconds"] for key, one in found.items()}
        theirs = min((seconds for (one, _), seconds in times.items() if one == "torch"), default=None)
        cells = [_ms(times.get((one, mode))) for one in ("zerograd", "torch") for mode in MODES]
        ratios = [_times(theirs, times.get(("zerograd", mode))) for mode in MODES]
        table.append((name, *cells, *ratios, _share(needs, most, times)))
    note = (
        "Milliseconds a step. The last columns: how many times the speed of PyTorch's faster mode; and the least time "
        "in which\nthe machine could do the step, its floating-point operations at the rate of products plus the bytes "
        "of the arrays that\nit is given and gives back at the bandwidth of memory, as a share of zerograd's best."
    )
    return _section("A training step", MODES_COMMAND, table, note)


def _share(needs: Figures | None, most: Figures | None, times: dict[Any, float]) -> str:
    own = min((seconds for (one, _), seconds in times.items() if one == "zerograd"), default=None)
    if needs is None or most is None or own is None:
        return "-"
    return f"{100 * (needs['flops'] / most['flops'] + needs['bytes'] / most['bandwidth']) / own:.0f} %"


def others(bench: Bench) -> list[str]:
    """The step of programs of all kinds."""
    table: Table = [("program", "loop", "compiled", "PyTorch", "loop is", "compiled is", "what it does")]
    for name in OTHERS:
        bench.say(f"step of {name}")
        variants = [("zerograd", "loop"), ("zerograd", "compiled"), ("torch", "loop")]
        found = bench.in_turn({one: (*one, name) for one in variants if one[0] in bench.frameworks})
        times = [found.get(one, {}).get("seconds") for one in variants]
        ratios = [_times(times[2], own) for own in times[:2]]
        first = (HERE / "workloads" / f"{name}.py").read_text().splitlines()[0].strip('"')
        table.append((name, *map(_ms, times), *ratios, first))
    note = (
        "Milliseconds a step, of PyTorch's loop as it is written. A step that reads values while it runs, as dqn and "
        "tabular do,\nis not captured, so there both modes are the same."
    )
    return _section("Programs of other kinds", MODES_COMMAND, table, note)


def recording(bench: Bench) -> list[str]:
    """What recording costs."""
    bench.say("recording")
    rounds = 3 if bench.rounds == 1 else 30
    printed = bench.run("recording.py", "--rounds", rounds)
    command = f"python benchmarks/recording.py --rounds {rounds}"
    return ["## Recording", "", f"`{command}`", "", "```text", printed or "failed", "```", ""]


def scaling(bench: Bench) -> list[str]:
    """One thread and all."""
    counts = list(dict.fromkeys((1, bench.threads)))
    head = ["program"]
    for framework in bench.frameworks:
        head += [f"{framework}, {count} thread{'s'[: count > 1]}" for count in counts] + ["gain"]
    table: Table = [tuple(head)]
    for name in bench.workloads:
        bench.say(f"threads, {name}")
        variants = {
            (one, count): (one, "loop", name, "--threads", count) for count in counts for one in bench.frameworks
        }
        found = bench.in_turn(variants)
        cells = []
        for framework in bench.frameworks:
            times = [found.get((framework, count), {}).get("seconds") for count in counts]
            cells += [*map(_ms, times), _times(times[0], times[-1])]
        table.append((name, *cells))
    command = "python benchmarks/step.py zerograd|torch loop PROGRAM --threads N"
    return _section("From one thread to all", command, table, "Milliseconds a step.")


def first_steps(bench: Bench) -> list[str]:
    """The first step with an empty cache of compiled code, and with a full one."""
    head = ("program", "cold", "warm", "PyTorch", "six, cold", "six, warm", "six, PyTorch")
    table: Table = [head]
    for name in bench.workloads:
        bench.say(f"first steps of {name}")
        cold, warm, theirs = [], [], []
        for _ in range(bench.rounds):
            with tempfile.TemporaryDirectory() as empty:
                for kept in (cold, warm):
                    kept.append(bench.figures(*_first("zerograd", name), ZEROGRAD_CACHE_DIR=empty))
            theirs.append(bench.figures(*_first("torch", name)) if "torch" in bench.frameworks else None)
        kinds = [[one for one in found if one is not None] for found in (cold, warm, theirs)]
        middle = [_medians(found) if found else {} for found in kinds]
        cells = [_seconds(one.get(word)) for word in ("first", "first six") for one in middle]
        table.append((name, *cells))
    note = (
        "Seconds until the first loss, and the first six, have been read; imports are not counted. A small program's "
        "first\nsteps are computed with NumPy, and compiled when they come back: that is in the first six."
    )
    command = "ZEROGRAD_CACHE_DIR=EMPTY python benchmarks/step.py zerograd|torch loop PROGRAM --seconds 0.01"
    return _section("The first steps", command, table, note)


def _first(framework: str, name: str) -> tuple[object, ...]:
    return "step.py", framework, "loop", name, "--seconds", 0.01


def memory(bench: Bench) -> list[str]:
    """Peak memory of the process."""
    table: Table = [("program", "zerograd, loop", "zerograd, compiled", "PyTorch, loop", "loop is")]
    for name in bench.workloads:
        bench.say(f"memory of {name}")
        variants = [("zerograd", "loop"), ("zerograd", "compiled"), ("torch", "loop")]
        found = [
            bench.figures("step.py", *one, name, "--seconds", bench.seconds / 4) if one[0] in bench.frameworks else None
            for one in variants
        ]
        sizes = [one["megabytes"] if one else None for one in found]
        cells = ["-" if size is None else f"{size:.0f}" for size in sizes]
        table.append((name, *cells, _times(sizes[0], sizes[2])))
    note = "Megabytes of the whole process at its peak, the libraries included; the last column is a part of PyTorch's."
    return _section("Memory", MODES_COMMAND, table, note)


def busy(bench: Bench) -> list[str]:
    """Another process wants a core."""
    table: Table = [("program", *(f"{one}, {how}" for one in bench.frameworks for how in ("alone", "busy")), "busy is")]
    for name in bench.workloads:
        bench.say(f"a busy core, {name}")
        variants = {
            (one, how): (one, "loop", name, *how) for how in ((), ("--busy",)) for one in bench.frameworks
        }  # fmt: skip
        found = bench.in_turn(variants)
        times = {key: one["seconds"] for key, one in found.items()}
        cells = [_ms(times.get((one, how))) for one in bench.frameworks for how in ((), ("--busy",))]
        ratio = _times(times.get(("torch", ("--busy",))), times.get(("zerograd", ("--busy",))))
        table.append((name, *cells, ratio))
    note = "Milliseconds a step; the last column: how many times PyTorch's speed while the core is busy."
    return _section("While another process keeps a core busy", "python benchmarks/step.py ... --busy", table, note)


SECTIONS: dict[str, Callable[[Bench], list[str]]] = {
    "limits": limits, "time": step_times, "others": others, "recording": recording, "scaling": scaling,
    "first": first_steps, "memory": memory, "busy": busy,
}  # fmt: skip


# --- the page ---------------------------------------------------------------------------------------------------------


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.3f}"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def _times(part: float | None, whole: float | None) -> str:
    return "-" if not part or not whole else f"{part / whole:.2f}x"


def _section(title: str, command: str, table: Table, note: str = "") -> list[str]:
    head, *rows = table
    lines = [f"## {title}", "", f"`{command}`", ""]
    lines += [_row(head), _row(["---", *("---:" for _ in head[1:])]), *map(_row, rows), ""]
    return [*lines, note, ""] if note else lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    packages = [one for one in ("numpy", "llvmlite", "torch") if find_spec(one)]
    versions = ", ".join(f"{one} {metadata.version(one)}" for one in packages)
    return f"{name}, {os.cpu_count()} cores, {platform.system()}; Python {platform.python_version()}, {versions}"


def page(options: argparse.Namespace, bench: Bench) -> str:
    """The whole page."""
    lines = ["# Performance", "", f"Written by `{shlex.join(['python', 'benchmarks/performance.py', *sys.argv[1:]])}`."]
    if options.quick:
        lines += ["", "**A quick run: one round of short measurements, to see that all of it works. No claims.**"]
    lines += [
        "", f"{_machine()}. Each measurement is a fresh process, the frameworks take turns; medians of {bench.rounds} "
        "rounds.", "",
    ]  # fmt: skip
    for name, section in SECTIONS.items():
        if name in options.only:
            lines += section(bench)
    lines += ["The programs are in `benchmarks/workloads/`; the first line of each says what it is.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SECTIONS), metavar="SECTION,...")
    parser.add_argument("--workload", action="append", metavar="PROGRAM", help="may be given several times")
    parser.add_argument("--workloads", type=Path, help="folder of another package `workloads`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance.md")
    options = parser.parse_args()
    if unknown := set(options.only) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if options.workloads and not options.workload:
        parser.error("--workloads needs --workload, once for each program of that folder")
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(options, Path(cache))
        text = page(options, bench)
    options.out.write_text(text)
    bench.say(f"written to {options.out}")


if __name__ == "__main__":
    main()
