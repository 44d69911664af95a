"""What importing costs: CPU seconds of a fresh process, for zerograd, for NumPy alone, and for PyTorch.

    python benchmarks/import_time.py [--rounds 10]

Interpreter start is taken off; libraries take turns; the figures are the best and the median of the rounds. Byte code
is cached by the first round, as it is after installation.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

CODE = "from time import process_time as now; start = now(); import {name}; print(now() - start)"


def seconds(name: str) -> float:
    """CPU seconds of one import in a fresh process."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", CODE.format(name=name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    names = ["numpy", "zerograd", "torch"]
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.rounds + 1):
        for name in names:
            times[name].append(seconds(name))
    for name in names:
        kept = times[name][1:]
        print(f"{name:10} best {min(kept):.3f} s   median {statistics.median(kept):.3f} s")


if __name__ == "__main__":
    main()
