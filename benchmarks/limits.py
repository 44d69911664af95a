"""What this machine can do at best: float32 products and memory, with the threads in use. Prints JSON.

python benchmarks/limits.py [--threads 2] [--seconds 1]
"""

from __future__ import annotations

import argparse
import json
import os


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)  # read when NumPy is imported

    import zerograd
    from zerograd.engines.native import limits

    zerograd.set_num_threads(options.threads)
    print(json.dumps(limits.measure(options.seconds)._asdict()))


if __name__ == "__main__":
    main()
