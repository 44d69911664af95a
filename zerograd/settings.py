"""What the environment can change. Read once, here."""

from __future__ import annotations

import os


def _engine(text: str) -> str:
    if text not in ENGINES:
        raise ValueError(f"ZEROGRAD_ENGINE is one of {', '.join(ENGINES)}, not {text!r}")
    return text


def _debug(text: str) -> frozenset[str]:
    words = frozenset(filter(None, text.replace(" ", "").split(",")))
    if unknown := words.difference(DEBUG):
        raise ValueError(f"ZEROGRAD_DEBUG is a list of {', '.join(DEBUG)}; it has {', '.join(sorted(unknown))}")
    return words


def _switch(text: str) -> bool:
    return text not in ("0", "")


ENGINES = ("auto", "native", "reference")
DEBUG = ("graphs", "instructions", "kernels", "fallbacks")
_READ = {
    "check_programs": _switch, "asynchronous": _switch, "winograd": _switch, "engine": _engine, "cache_dir": str,
    "debug": _debug, "debug_dir": str,
}  # fmt: skip
_NAMES = {"asynchronous": "ASYNC"}


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings:
    """How zerograd works, read once from the environment (``ZEROGRAD_MAX_PENDING_CALLS`` and so on).

    max_pending_calls: recorded calls after which a step is launched even if nothing reads it.
    max_pending_bytes: bytes of inputs held by one recording after which it is launched.
    max_remembered: remembered structures after which the tables are emptied and filled anew.
    check_programs: verify shape and dtype of every computed value (slow; the tests do it).
    engine: "auto" compiles a graph that comes back, "native" every graph, "reference" none.
    asynchronous: leave large programs to other threads until somebody looks at what they compute (ZEROGRAD_ASYNC).
    threads: how many threads computations may use; at the start one per core. OMP_NUM_THREADS sets it too.
    cache_dir: folder that keeps compiled code; None: the user's cache folder, "": none.
    cache_mb: megabytes of compiled code to keep; what was not used for longest goes first.
    debug: what is told of each native program that is made: "graphs" prints the graph as recorded and after the passes,
        "instructions" what is done in which phase, "kernels" writes LLVM IR and assembly to files, "fallbacks" warns
        of what NumPy computes.
    debug_dir: folder for these files.
    winograd: whether convolutions by 3x3 kernels may be computed with fewer products, which rounds a little more.
    """

    max_pending_calls: int = 4096
    max_pending_bytes: int = 1 << 28
    max_remembered: int = 60_000
    check_programs: bool = False
    asynchronous: bool = True
    threads: int = 0
    engine: str = "auto"
    cache_dir: str | None = None
    cache_mb: int = 256
    debug: frozenset[str] = frozenset()
    debug_dir: str = "zerograd_debug"
    winograd: bool = True

    def __init__(self) -> None:
        openmp = os.environ.get("OMP_NUM_THREADS", "")
        if openmp.isdecimal():
            self.threads = int(openmp)
        for name in Settings.__annotations__:
            text = os.environ.get(f"ZEROGRAD_{_NAMES.get(name, name.upper())}")
            if text is not None:
                setattr(self, name, _READ[name](text) if name in _READ else int(text))
        self.threads = self.threads or cores()


settings = Settings()
