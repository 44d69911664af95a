"""What importing costs: wall and CPU seconds of the import statement, for NumPy alone, zerograd and PyTorch.

    python benchmarks/import_time.py [--rounds 10]

Each import runs in a fresh process, the libraries in turn; interpreter start is taken off. The figures are the best and
the median of the rounds. Byte code is cached by a first round that does not count, as it is after installation. CPU
seconds can exceed wall seconds: NumPy starts threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from importlib.util import find_spec

CODE = """
import time
wall, cpu = time.perf_counter(), time.process_time()
import {name}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def seconds(name: str) -> tuple[float, float]:
    """Wall and CPU seconds of one import in a fresh process."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", CODE.format(name=name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    wall, cpu = map(float, done.stdout.split())
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    names = [name for name in ("numpy", "zerograd", "torch") if find_spec(name)]
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(options.rounds + 1):
        for name in names:
            times[name].append(seconds(name))
    for name in names:
        for kind, kept in zip(("wall", "CPU"), zip(*times[name][1:], strict=True), strict=True):
            print(f"{name:10} {kind:4} best {min(kept):.3f} s   median {statistics.median(kept):.3f} s")


if __name__ == "__main__":
    main()
