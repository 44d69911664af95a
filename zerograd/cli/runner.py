"""Running a program as Python itself would, but with zerograd in place of PyTorch."""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import zip_longest
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from zerograd.cli import importer
from zerograd.cli.explain import explain

STAND_IN = Path(__file__).with_name("stand_in")
OWN_FILES = frozenset({__file__, importer.__file__})
UNCAUGHT, UNUSABLE, INTERRUPTED = 1, 2, 130
"""Python's exit statuses: after an exception, for a program that cannot be read, after Ctrl-C."""


class UnusableProgramError(Exception):
    """What was named cannot be run; the message says why."""


@dataclass(frozen=True)
class Program:
    """Code, its file (for `__file__`), and where the import system found it (None for a plain script)."""

    code: CodeType
    file: str
    spec: ModuleSpec | None


def run_script(path: str, arguments: Sequence[str]) -> int:
    """Run a Python file, or the `__main__.py` of a folder or zip file, and return the exit status."""
    absolute = os.path.abspath(path)
    if (inner := PathFinder.find_spec("__main__", [absolute])) is not None:
        return run(lambda: load_found(inner), absolute, path, arguments)
    return run(lambda: load_file(absolute), os.path.dirname(os.path.realpath(path)), path, arguments)


def run_module(name: str, arguments: Sequence[str]) -> int:
    """Run a module, or a package's `__main__`, as `python -m` does, and return the exit status."""
    return run(lambda: load_module(name), os.getcwd(), None, arguments)


def run(load: Callable[[], Program], folder: str, name: str | None, arguments: Sequence[str]) -> int:
    """Load a program and execute it.

    Args:
        load: finds and compiles it.
        folder: the first to import from.
        name: for `sys.argv[0]`; None for the path of the file that `load` finds.
        arguments: for the rest of `sys.argv`.
    """
    importer.install()
    if sys.flags.safe_path:
        sys.path.insert(0, str(STAND_IN))
    else:
        sys.path[:1] = [folder, str(STAND_IN)]
    try:
        program = load()
        sys.argv[:] = [name or program.file, *arguments]
        execute(program)
    except UnusableProgramError as error:
        print(f"zerograd run: {error}", file=sys.stderr)
        return UNUSABLE
    except SystemExit:
        raise  # Python knows what to do with its code, or prints its text
    except BaseException as error:
        report(error)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else UNCAUGHT
    return 0


def load_file(path: str) -> Program:
    """A script."""
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise UnusableProgramError(f"cannot read {path}: {error.strerror}") from None
    return Program(compile(source, path, "exec", dont_inherit=True), path, None)


def load_module(name: str) -> Program:
    """A module by its name; of a package, the `__main__` in it."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name = f"{name}.__main__"
            spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    if spec is None:
        raise UnusableProgramError(f"there is no module {name}")
    return load_found(spec)


def load_found(spec: ModuleSpec) -> Program:
    """The program that the import system has found."""
    if isinstance(spec.loader, importer.ExistingModule) and spec.loader.spec is not None:
        spec = spec.loader.spec  # python -m torch.X
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code is not None else None
    if code is None:
        raise UnusableProgramError(f"{spec.name} has no Python code to run")
    return Program(code, spec.origin or code.co_filename, spec)


def execute(program: Program) -> None:
    """Execute a program as the module `__main__`, which it stays: pickle and spawned processes look there."""
    spec = program.spec
    module = ModuleType("__main__")
    vars(module).update(
        __builtins__=builtins,
        __cached__=spec and spec.cached,
        __file__=program.file,
        __loader__=spec.loader if spec else SourceFileLoader("__main__", program.file),
        __package__=spec and spec.parent,
        __spec__=spec,
    )
    sys.modules["__main__"] = module
    exec(program.code, vars(module))


def report(error: BaseException) -> None:
    """Print an uncaught exception the way Python does, the program's own frames first."""
    traceback = without_own_frames(error.__traceback__)
    explain(error, traceback)
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)


def without_own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback less the frames of this file, the importer and the import system."""
    kept = []
    while traceback is not None:
        if not is_own(traceback):
            kept.append(traceback)
        traceback = traceback.tb_next
    for frame, following in zip_longest(kept, kept[1:]):
        frame.tb_next = following
    return kept[0] if kept else None


def is_own(traceback: TracebackType) -> bool:
    """Whether this frame is part of how the program is run, not of the program."""
    file = traceback.tb_frame.f_code.co_filename
    return file in OWN_FILES or file.startswith("<frozen importlib")
