"""`import torch` becomes zerograd: torch.X is the module zerograd.X itself, so that classes are the same."""

from __future__ import annotations

import dis
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

INTERNAL = frozenset(
    {
        *("cli", "data", "dtypes", "engines", "errors", "ir", "lazily", "ledger", "ops", "passes", "program"),
        *("runtime", "settings", "shapes", "tape", "tensor", "frozen"),
    }
)
"""Parts of zerograd whose names mean nothing, or something else, in PyTorch."""

IMPORT_FROM = dis.opmap["IMPORT_FROM"]


def install() -> None:
    """From here on, in this process, `import torch` and the import of any torch.X give zerograd.

    Raises:
        RuntimeError: PyTorch itself is loaded already; two libraries cannot share the name.
    """
    zerograd = importlib.import_module("zerograd")
    if sys.modules.get("torch", zerograd) is not zerograd:
        raise RuntimeError("PyTorch is loaded already, so `import torch` cannot become zerograd in this process")
    if not any(isinstance(finder, TorchFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchFinder())
    sys.modules["torch"] = zerograd
    explain_missing_names_everywhere()


class TorchFinder(MetaPathFinder):
    """Finds torch and torch.X, before anything that is installed under these names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of zerograd that stands for a module of PyTorch.

        Raises:
            ModuleNotFoundError: zerograd has no such module. (None would let the next finder load PyTorch.)
        """
        if fullname != "torch" and not fullname.startswith("torch."):
            return None
        module = import_counterpart(fullname)
        explain_missing_names_everywhere()
        return ModuleSpec(fullname, ExistingModule(module), is_package=hasattr(module, "__path__"))


class ExistingModule(Loader):
    """Enters a module that is loaded already under a second name."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to execute; the import system has overwritten the spec, which is put back."""
        module.__spec__ = self.spec


def import_counterpart(name: str) -> ModuleType:
    """Import zerograd.X for torch.X."""
    own_name = "zerograd" + name.removeprefix("torch")
    if own_name != "zerograd" and not is_public(own_name):
        raise ModuleNotFoundError(missing(name), name=name)
    try:
        __import__(own_name)  # not import_module, whose frame would stand in the program's tracebacks
    except ModuleNotFoundError as error:
        if error.name is None or not f"{own_name}.".startswith(f"{error.name}."):
            raise  # zerograd.X exists, and lacks something that it needs
        raise ModuleNotFoundError(missing(name), name=name) from None
    return sys.modules[own_name]


def is_public(name: str) -> bool:
    """Whether this module of zerograd's (by full name, the root aside) stands for a module of PyTorch's."""
    root, _, rest = name.partition(".")
    return root == "zerograd" and rest != "" and rest.split(".")[0] not in INTERNAL


def torch_name(name: str) -> str:
    """torch.X for zerograd.X."""
    return "torch" + name.removeprefix("zerograd")


def missing(name: str) -> str:
    """What to say of a PyTorch name that zerograd lacks."""
    return f"zerograd has no {name}; if PyTorch 2.13 has it, zerograd does not support it yet"


def explain_missing_names_everywhere() -> None:
    """Do so in all public modules that are loaded."""
    for name, module in list(sys.modules.items()):
        if name == "zerograd" or is_public(name):
            explain_missing_names(module, torch_name(name))


def explain_missing_names(module: ModuleType, name: str) -> None:
    """Let the module answer for a name it lacks by saying which name of PyTorch's that is.

    `from torch.nn import X` would turn an AttributeError into an ImportError with a text of Python's own;
    asked that way, the module raises the ImportError itself.
    """
    own_answer: Callable[[str], object] | None = vars(module).get("__getattr__")
    if getattr(own_answer, "explains_missing_names", False):
        return

    def answer(attribute: str) -> object:
        if own_answer is not None:
            try:
                found = own_answer(attribute)
            except AttributeError:
                pass
            else:
                if isinstance(found, ModuleType):  # loaded on demand, with others perhaps
                    explain_missing_names_everywhere()
                return found
        message = missing(f"{name}.{attribute}")
        if asked_by_from_import():
            raise ImportError(message, name=name)
        raise AttributeError(message, name=attribute, obj=module)

    vars(answer)["explains_missing_names"] = True
    vars(module)["__getattr__"] = answer


def asked_by_from_import() -> bool:
    """Whether the caller's caller is in the middle of `from module import name`."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame and frame.f_back
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == IMPORT_FROM
