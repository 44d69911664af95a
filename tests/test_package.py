"""What the package promises as a whole: it is small, starts quickly, and its files keep to a form."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import zerograd
from zerograd.cli.importer import INTERNAL

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "zerograd"
MOST_LINES = 600
HEAVY = (  # of the standard library
    "argparse", "asyncio", "concurrent", "dataclasses", "email", "http", "logging", "multiprocessing", "queue",
    "random", "socket", "subprocess", "tempfile", "unittest", "xml", "zipfile",
)  # fmt: skip
SELDOM = (  # parts of zerograd that import on first use
    "zerograd.amp", "zerograd.autograd.function", "zerograd.cli", "zerograd.cuda", "zerograd.func", "zerograd.linalg",
    "zerograd.nn", "zerograd.ops.linalg", "zerograd.ops.special", "zerograd.optim", "zerograd.runtime.random",
    "zerograd.serialization", "zerograd.tensor.printing", "zerograd.testing", "zerograd.utils",
)  # fmt: skip


def test_files_are_short_enough_to_read() -> None:
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert len(files) > 50
    assert [str(file) for file in files if len(file.read_text().splitlines()) > MOST_LINES] == []


def test_every_folder_of_code_is_a_package() -> None:
    """setuptools would leave out any other."""
    folders = {file.parent for file in PACKAGE.rglob("*.py")} - {PACKAGE / "cli" / "stand_in"}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_top_level_module_is_pytorchs_or_known_as_internal() -> None:
    """`zerograd run` lets torch.X stand for zerograd.X unless X is in that list."""
    names = {module.name for module in pkgutil.iter_modules(zerograd.__path__)} - {"__main__"}
    for name in names - INTERNAL:
        importlib.import_module(f"torch.{name}")


def test_every_module_can_be_imported() -> None:
    names = [module.name for module in pkgutil.walk_packages(zerograd.__path__, "zerograd.")]
    assert len(names) > 50
    for name in names:
        if name != "zerograd.__main__":
            importlib.import_module(name)


def _loaded_by_import(names: str = "zerograd") -> set[str]:
    code = f"import sys; before = set(sys.modules); import {names}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_zerograd_loads_nothing_heavy() -> None:
    loaded = _loaded_by_import()
    assert "zerograd.tensor.tensor" in loaded
    assert [name for name in (*HEAVY, *SELDOM) if name in loaded] == []


def test_importing_what_training_programs_import_loads_nothing_heavy_either() -> None:
    loaded = _loaded_by_import("zerograd.nn.functional, zerograd.optim, zerograd.utils.data")
    assert "zerograd.utils.data.dataloader" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_importing_zerograd_loads_no_other_package_than_numpy() -> None:
    """Not ml_dtypes either, of the run-time dependencies: bfloat16 waits until it is used."""
    roots = {name.partition(".")[0] for name in _loaded_by_import()} - set(sys.stdlib_module_names)
    assert roots == {"numpy", "zerograd"}


def test_run_time_dependencies_are_the_promised_three() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert names == {"numpy", "llvmlite", "ml_dtypes"}


def _installed_bytes(name: str) -> int:
    """The files of a distribution as its RECORD lists them, without byte code, which Python makes."""
    files = [file for file in metadata.files(name) or () if file.suffix != ".pyc"]
    assert len(files) > 5, f"{name} lists no files"
    return sum(Path(str(file.locate())).stat().st_size for file in files)


def test_an_installation_takes_less_than_250_megabytes() -> None:
    own = sum(file.stat().st_size for file in PACKAGE.rglob("*") if file.is_file() and file.suffix != ".pyc")
    sizes = {name: _installed_bytes(name) for name in ("numpy", "llvmlite", "ml_dtypes")} | {"zerograd": own}
    assert sum(sizes.values()) < 250e6, sizes
