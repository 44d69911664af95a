"""``python -m zerograd.engines.checking``: an engine on random programs, on every op, on real programs.

    --programs 20000 --seed 0          random programs of the seeds 0 to 19999
    --ops 4                            every op with every type, four times
    --script train.py                  the graphs of a real program; may be repeated
    --engine native --threads 1,2      what is tested; every number of threads has to give the same bits
    --only product,attention           random programs of these productions only
    --minimise                         print the smallest part of a graph that shows a difference
    --jobs 2                           so many processes

A program of a seed alone: ``--programs 1 --seed 12345``. The exit code is 1 if there was any difference. Trials run in
processes of their own, so one that crashes the interpreter, or never ends, is reported like any other.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from zerograd.engines.checking import running
from zerograd.engines.checking.tolerances import Freedoms


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 if anything was different."""
    options = _parser().parse_args(arguments)
    task = running.Task(
        engine=options.engine,
        threads=tuple(int(one) for one in options.threads.split(",")),
        only=tuple(filter(None, options.only.split(","))),
        minimise=options.minimise,
        freedoms=Freedoms(options.contraction, options.wide_halves),
        timeout=options.timeout,
    )
    jobs = running.jobs(options.programs, options.seed, options.ops, options.script)
    if not jobs:
        print("nothing to do: give --programs, --ops or --script")
        return 2
    start = time.perf_counter()
    total = running.run(task, jobs, options.jobs, options.most)
    print(total.summary(time.perf_counter() - start))
    return 1 if total.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("zerograd.engines.checking", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--engine", default="native", help="native, reference, or one of the variants and faults")
    parser.add_argument("--programs", type=int, default=0, help="how many random programs")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed")
    parser.add_argument("--ops", type=int, default=0, help="how often to try each op with each type")
    parser.add_argument("--script", action="append", default=[], help="a program whose graphs are tried")
    parser.add_argument("--only", default="", help="productions of random programs, separated by commas")
    parser.add_argument("--threads", default="1", help="numbers of threads, separated by commas")
    parser.add_argument("--minimise", action="store_true", help="cut failing graphs down")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that one trial may take")
    parser.add_argument("--most", type=int, default=20, help="stop after so many differences; 0: never")
    parser.add_argument("--contraction", action="store_true", help="products may enter sums unrounded")
    parser.add_argument("--wide-halves", action="store_true", help="16-bit floats may stay in float32 within a kernel")
    return parser


if __name__ == "__main__":
    sys.exit(main())
