"""Delayed imports: nothing is lost by them, and the two lists of each package say the same."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zerograd
from zerograd import lazily
from zerograd.tensor import tensor

PACKAGES = (
    "zerograd",
    "zerograd.autograd",
    "zerograd.nn",
    "zerograd.nn.modules",
    "zerograd.nn.utils",
    "zerograd.optim",
    "zerograd.runtime.random",
    "zerograd.utils",
    "zerograd.utils.data._utils",
)


def test_these_are_all_packages_with_delayed_names() -> None:
    for module in pkgutil.walk_packages(zerograd.__path__, "zerograd."):
        if module.ispkg:
            importlib.import_module(module.name)
    assert sorted(lazily.tables) == sorted(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_everything_from_a_package_includes_delayed_names(package: str) -> None:
    loaded = importlib.import_module(package)
    functions = {name for name, (_, original) in lazily.tables[package].items() if original and name[0] != "_"}
    assert functions <= set(loaded.__all__)


def _imports_for_type_checkers(package: str) -> dict[str, tuple[str, str]]:
    tree = ast.parse(Path(str(importlib.import_module(package).__file__)).read_text())
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    found = {}
    for node in (node for block in blocks for node in block):
        assert isinstance(node, ast.ImportFrom)
        module = str(node.module).removeprefix(package).removeprefix(".")
        for one in node.names:
            found[one.asname or one.name] = (module, one.name) if module else (one.name, "")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_the_same_names_at_the_same_places(package: str) -> None:
    seen, table = _imports_for_type_checkers(package), lazily.tables[package]
    assert seen
    modules = {name: place for name, place in table.items() if not place[1] and name not in seen}
    assert seen | modules == table


@pytest.mark.parametrize("package", PACKAGES)
def test_no_delayed_name_is_that_of_a_module(package: str) -> None:
    """Importing such a module would put it into the place of the function."""
    for name, (module, original) in lazily.tables[package].items():
        assert not original or name != module, f"{package}.{name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_delayed_names_are_listed_and_found(package: str) -> None:
    loaded = importlib.import_module(package)
    assert set(lazily.tables[package]) <= set(dir(loaded))
    for name in lazily.tables[package]:
        assert getattr(loaded, name) is not None
        assert name in vars(loaded), f"{name} is looked for again each time"


def test_a_missing_name_is_called_by_pytorchs_name() -> None:
    with pytest.raises(AttributeError, match=r"zerograd has no torch\.autograd\.missing;"):
        _ = zerograd.autograd.missing


def _attached(module: str) -> set[str]:
    return set(tensor._methods(importlib.import_module(f"zerograd.tensor.{module}")))


@pytest.mark.parametrize("module", tensor.LATER)
def test_tensor_announces_all_methods_of_a_delayed_module(module: str) -> None:
    assert set(tensor.LATER[module].split()) == _attached(module)


def test_delayed_methods_have_no_setters() -> None:
    """Assigning to a property that is not there yet would hide it."""
    for module in tensor.LATER:
        kind = importlib.import_module(f"zerograd.tensor.{module}")
        assert not [name for name, function in kind.METHODS.items() if isinstance(function, property)]


class Base:
    def late(self) -> str:
        return "stub"


class Derived(Base):
    def late(self) -> str:
        return f"derived from {super().late()}"


def _delayed(real: Any) -> list[str]:
    loads: list[str] = []

    def load() -> None:
        loads.append("load")
        Base.late = real

    Base.late = lazily.Method(Base, "late", load)  # type: ignore[method-assign]
    return loads


def test_a_delayed_method_loads_once_and_binds() -> None:
    loads = _delayed(lambda self: f"real, of a {type(self).__name__}")
    assert Derived().late() == "derived from real, of a Derived"
    assert Base().late() == "real, of a Base"
    assert loads == ["load"]


def test_a_delayed_method_is_a_function_on_the_class() -> None:
    def late(self: Base) -> str:
        return "real"

    _delayed(late)
    assert Base.late is late


def test_a_delayed_function_loads_at_its_first_call() -> None:
    assert lazily.function("math", "gcd")(12, 18) == 6
    with pytest.raises(ModuleNotFoundError):
        lazily.function("zerograd.nowhere", "name")()


def test_methods_work_before_anything_has_loaded_them() -> None:
    code = """
import sys, zerograd as torch
assert "zerograd.tensor.functions.sorting" not in sys.modules
x = torch.tensor([3, 1, 2])
assert hasattr(x, "sort") and x.sort().values.tolist() == [1, 2, 3]
flag = x > 1
flag &= x < 3
assert flag.tolist() == [False, False, True] and (~flag | flag).tolist() == [True] * 3
assert torch.Tensor.tril(torch.ones(2, 2)).tolist() == [[1, 0], [1, 1]]
class Sub(torch.Tensor):
    def cumsum(self, dim):
        return super().cumsum(dim) * 10
assert x.as_subclass(Sub).cumsum(0).tolist() == [30, 40, 60]
torch.Tensor.cholesky = lambda self: "the program's own"
assert x.svd and x.cholesky() == "the program's own"
from zerograd import sort, manual_seed
import zerograd.autograd.gradcheck
assert callable(torch.autograd.gradcheck)
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"
