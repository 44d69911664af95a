"""The command `zerograd` and its arguments."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from zerograd import version
from zerograd.cli import runner

WITH_PROGRAM = {"run": frozenset[str](), "profile": frozenset(["--rows", "--trace"])}
"""The commands that run a program, with those of their options that take a value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 after an uncaught exception, 2 after a wrong argument.

    Args:
        arguments: what follows the command's name; by default that of this process.
    """
    own, program = split_off_program(list(sys.argv[1:] if arguments is None else arguments))
    options = parser().parse_args(own)
    if options.command in WITH_PROGRAM:
        options.program_arguments = program
    return options.action(options)


def split_off_program(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The command's own arguments, and those of the program that it names: all that follow the program's name."""
    if not arguments or arguments[0] not in WITH_PROGRAM:
        return arguments, []
    options = iter(range(1, len(arguments)))
    for position in options:
        argument = arguments[position]
        if argument == "-m":
            return arguments[: position + 2], arguments[position + 2 :]
        if argument in WITH_PROGRAM[arguments[0]]:
            next(options, None)  # what follows is its value
        elif argument.startswith("-m") or not argument.startswith("-"):
            return arguments[: position + 1], arguments[position + 1 :]
    return arguments, []


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line, and for each command the function that does it."""
    main_parser = argparse.ArgumentParser(
        prog="zerograd", description="Run PyTorch training programs on zerograd's engine."
    )
    main_parser.add_argument(
        "--version", action=ShowVersion, nargs=0, help="show zerograd's version and what it stands on"
    )
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="{run,profile,demo}")

    run = commands.add_parser(
        "run",
        help="run a Python program, unchanged, with zerograd in place of PyTorch",
        usage="zerograd run [-h] (script.py | -m module) [arguments of the program ...]",
        description="Run a Python program in which `import torch` and what is imported from it is zerograd. "
        "PyTorch is not loaded, even if it is installed.",
    )
    add_program(run)
    run.set_defaults(action=run_program)

    profile = commands.add_parser(
        "profile",
        help="run a program as `run` does, and say what its time went into",
        usage="zerograd profile [-h] [--rows N] [--trace FILE] (script.py | -m module) [arguments of the program ...]",
        description="Run a Python program with zerograd in place of PyTorch, then print to standard error: the time of "
        "each kernel with the line that it computes, arithmetic rate and bandwidth, what fell back to NumPy, "
        "compilation, programs and their memory. Writes a trace for chrome://tracing or ui.perfetto.dev.",
    )
    profile.add_argument(
        "--rows", type=positive, metavar="N", default=25, help="of the table of kernels; default: %(default)s"
    )
    profile.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        default=Path("zerograd_trace.json"),
        help="where the trace goes; default: %(default)s",
    )
    add_program(profile)
    profile.set_defaults(action=profile_program)

    demo = commands.add_parser(
        "demo",
        help="train on handwritten digits and show what zero_grad is for",
        description="Train a small convolutional network on handwritten digits, then train it again without "
        "zero_grad and with gradients halved instead, and compare. Draws a picture if matplotlib is there.",
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with the four MNIST idx files; default: the packaged UCI digits",
    )
    demo.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="passes over the training images; default: by their number",
    )
    demo.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("zerograd_demo"),
        help="folder for the picture; default: %(default)s",
    )
    demo.set_defaults(action=run_demo)
    return main_parser


def add_program(command: argparse.ArgumentParser) -> None:
    """The argument that names a program."""
    program = command.add_mutually_exclusive_group(required=True)
    program.add_argument("script", nargs="?", help="a Python file, or a folder with a __main__.py")
    program.add_argument("-m", dest="module", metavar="module", help="a module or package, as in python -m")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return number


class ShowVersion(argparse.Action):
    """Print the version, found only when asked for, and stop."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """`zerograd --version`."""
        numpy = metadata.version("numpy")
        print(f"zerograd {version.zerograd} (Python {platform.python_version()}, NumPy {numpy})")
        parser.exit()


def run_program(options: argparse.Namespace) -> int:
    """`zerograd run`."""
    if options.module is not None:
        return runner.run_module(options.module, options.program_arguments)
    return runner.run_script(options.script, options.program_arguments)


def profile_program(options: argparse.Namespace) -> int:
    """`zerograd profile`."""
    from zerograd.cli.profile import profile

    return profile(lambda: run_program(options), options.rows, options.trace)


def run_demo(options: argparse.Namespace) -> int:
    """`zerograd demo`; what it needs is imported here, so that `zerograd run` starts without it."""
    from zerograd.cli.demo import demo
    from zerograd.data import load_digits, load_mnist

    try:
        digits = load_digits() if options.data is None else load_mnist(options.data)
    except (OSError, ValueError) as error:
        print(f"zerograd demo: {error}", file=sys.stderr)
        return 2
    demo(digits, options.epochs, options.out)
    return 0
