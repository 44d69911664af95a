"""`zerograd run` runs programs as Python does, with zerograd in place of PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path, folder: Path, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`python -m zerograd run arguments`, from another folder than the repository's."""
    command = [sys.executable, *python, "-c", BOOT, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


# As the console script does: the interpreter's first search folder is not the working folder.
BOOT = (
    f"import sys; sys.path[:1] = ['/nowhere', {str(ROOT)!r}]; from zerograd.cli.main import main; "
    "sys.exit(main(['run', *sys.argv[1:]]))"
)


def write(folder: Path, text: str, name: str = "program.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lines_of(tmp_path: Path, text: str, *arguments: str) -> list[str]:
    """What a program prints that must end well."""
    done = run(write(tmp_path, text), *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def error_of(tmp_path: Path, text: str) -> str:
    """The last line of standard error of a program that must fail."""
    done = run(write(tmp_path, text), folder=tmp_path)
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def test_torch_is_zerograd_and_its_submodules_are_the_same_objects(tmp_path: Path) -> None:
    assert lines_of(
        tmp_path,
        """
import torch
import torch.nn.functional as F
import torch.optim.lr_scheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader
import zerograd, zerograd.nn.functional, zerograd.utils.data
print(torch is zerograd, F is zerograd.nn.functional, nn is zerograd.nn)
print(DataLoader is zerograd.utils.data.DataLoader)
print(isinstance(zerograd.ones(2), torch.Tensor), isinstance(torch.nn.Linear(1, 1), zerograd.nn.Module))
print(torch.__spec__.name, torch.nn.__spec__.name, torch.nn.__name__, torch.optim.lr_scheduler.__spec__.name)
""",
    ) == [
        "True True True",
        "True",
        "True True",
        "zerograd zerograd.nn zerograd.nn zerograd.optim.lr_scheduler",
    ]


def test_modules_that_the_program_imports_see_zerograd_too(tmp_path: Path) -> None:
    write(tmp_path, "import torch\nname = torch.__name__\n", "package/model.py")
    assert lines_of(tmp_path, "from package import model\nprint(model.name)\n") == ["zerograd"]


def test_pytorch_is_never_loaded(tmp_path: Path) -> None:
    printed = lines_of(
        tmp_path,
        """
import sys
import torch, torch.nn, torch.utils.data, torch.optim
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
print([file for file in files if "site-packages/torch/" in file])
try:
    import torch._C
except ModuleNotFoundError as error:
    print(error.name)
""",
    )
    assert printed == ["[]", "torch._C"]


def test_arguments_go_to_the_program_and_its_folder_is_searched_first(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    script = write(folder, "import sys, neighbour\nprint(sys.argv[1:], sys.path[0], __name__, __file__)\n")
    write(folder, "", "neighbour.py")
    done = run(script, "--epochs", "3", "-m", "x", folder=tmp_path)
    assert done.stdout.split(maxsplit=0) == [f"['--epochs', '3', '-m', 'x'] {folder.resolve()} __main__ {script}\n"], (
        done.stderr
    )


def test_modules_and_packages_run_from_the_working_folder(tmp_path: Path) -> None:
    write(tmp_path, "import sys, torch\nprint(__spec__.name, sys.argv, torch.__name__)\n", "tool/__main__.py")
    write(tmp_path, "import sys\nfrom . import other\nprint(__package__, __name__, sys.argv)\n", "tool/train.py")
    write(tmp_path, "", "tool/other.py")
    package, module = run("-m", "tool", "-v", folder=tmp_path), run("-m", "tool.train", "-v", folder=tmp_path)
    assert package.stdout == f"tool.__main__ ['{tmp_path}/tool/__main__.py', '-v'] zerograd\n", package.stderr
    assert module.stdout == f"tool __main__ ['{tmp_path}/tool/train.py', '-v']\n", module.stderr
    folder = run("tool", "-v", folder=tmp_path)
    assert folder.stdout == "__main__ ['tool', '-v'] zerograd\n", folder.stderr


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(7)", 7),
        ("import sys; sys.exit('told')", 1),
        ("import sys; sys.exit()", 0),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_the_exit_status_is_the_programs(tmp_path: Path, ending: str, status: int) -> None:
    done = run(write(tmp_path, ending), folder=tmp_path)
    assert done.returncode == status, done.stderr


def test_tracebacks_are_those_of_python(tmp_path: Path) -> None:
    write(tmp_path, "def divide(x):\n    return 1 / x\n", "arithmetic.py")
    script = write(
        tmp_path,
        """
import arithmetic

def outer():
    try:
        arithmetic.divide(0)
    except ZeroDivisionError as error:
        raise ValueError("no value") from error

outer()
""",
    )
    plain = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run(script, folder=tmp_path).stderr == plain.stderr
    assert plain.stderr.count("File") == 4


def test_a_syntax_error_is_shown_as_by_python(tmp_path: Path) -> None:
    script = write(tmp_path, "x = (1,\n")
    plain = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    done = run(script, folder=tmp_path)
    assert done.stderr == plain.stderr
    assert done.returncode == plain.returncode


def test_the_programs_own_excepthook_is_used(tmp_path: Path) -> None:
    script = write(tmp_path, "import sys\nsys.excepthook = lambda t, e, tb: print('caught', t.__name__)\n[][1]\n")
    done = run(script, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "caught IndexError\n", "")


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    expected = "zerograd has no torch.imagined.part; if PyTorch 2.13 has it, zerograd does not support it yet"
    assert error_of(tmp_path, "import torch.imagined.part") == "ModuleNotFoundError: " + expected.replace(".part", "")
    assert error_of(tmp_path, "import torch.nn.imagined").startswith(
        "ModuleNotFoundError: zerograd has no torch.nn.imagined;"
    )
    done = run(write(tmp_path, "import torch.nn.imagined"), folder=tmp_path)
    assert done.stderr.count("File") == 1, done.stderr


def test_a_missing_name_is_named(tmp_path: Path) -> None:
    says = "zerograd has no torch.{}; if PyTorch 2.13 has it, zerograd does not support it yet"
    assert error_of(tmp_path, "import torch\ntorch.imagined") == f"AttributeError: {says.format('imagined')}"
    assert error_of(tmp_path, "from torch import imagined") == f"ImportError: {says.format('imagined')}"
    assert error_of(tmp_path, "import torch\ntorch.nn.Imagined") == f"AttributeError: {says.format('nn.Imagined')}"
    assert error_of(tmp_path, "from torch.nn import Imagined") == f"ImportError: {says.format('nn.Imagined')}"
    assert error_of(tmp_path, "import torch.nn.functional as F\nF.imagined").startswith(
        "AttributeError: zerograd has no torch.nn.functional.imagined;"
    )


def test_a_missing_method_is_named(tmp_path: Path) -> None:
    last = error_of(tmp_path, "import torch\ntorch.ones(2).imagined()")
    assert last == "zerograd has no Tensor.imagined; if PyTorch 2.13 has it, zerograd does not support it yet"


def test_programs_can_ask_what_there_is(tmp_path: Path) -> None:
    printed = lines_of(
        tmp_path,
        """
import importlib.util
import torch
print(hasattr(torch, "imagined"), hasattr(torch, "ones"), getattr(torch.nn, "Imagined", 3))
print(importlib.util.find_spec("torch") is not None)
try:
    from torch import imagined
except ImportError as error:
    print(type(error).__name__)
""",
    )
    assert printed == ["False True 3", "True", "ImportError"]


def test_internal_folders_are_not_modules_of_pytorch(tmp_path: Path) -> None:
    for name in ("ir", "engines", "tape"):
        assert error_of(tmp_path, f"import torch.{name}").startswith(
            f"ModuleNotFoundError: zerograd has no torch.{name};"
        )


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_the_program_starts_get_zerograd_too(tmp_path: Path, method: str) -> None:
    printed = lines_of(
        tmp_path,
        f"""
import multiprocessing
import torch
import torch.nn

def child(queue):
    import torch.nn.functional as F
    queue.put((torch.__name__, F.__name__))

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    print(queue.get(timeout=60))
    process.join()
""",
    )
    assert printed == ["('zerograd', 'zerograd.nn.functional')"]


def test_workers_of_a_dataloader_get_zerograd_too(tmp_path: Path) -> None:
    printed = lines_of(
        tmp_path,
        """
import torch
from torch.utils.data import DataLoader, Dataset

class Squares(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, i):
        return torch.tensor(i * i)

if __name__ == "__main__":
    for batch in DataLoader(Squares(), batch_size=3, num_workers=2, multiprocessing_context="spawn"):
        print(batch.tolist())
""",
    )
    assert printed == ["[0, 1, 4]", "[9, 16]"]


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, says in [
        (["absent.py"], f"zerograd run: cannot read {tmp_path}/absent.py: No such file or directory\n"),
        (["empty"], f"zerograd run: cannot read {tmp_path}/empty: Is a directory\n"),
        (["-m", "absent.part"], "zerograd run: there is no module absent.part\n"),
        (["-m", "math"], "zerograd run: math has no Python code to run\n"),
    ]:
        done = run(*arguments, folder=tmp_path)
        assert (done.returncode, done.stderr) == (2, says)
    assert run(folder=tmp_path).returncode == 2


def test_nothing_of_this_is_active_without_zerograd_run() -> None:
    code = "import zerograd, zerograd.cli.importer, torch; print(torch is zerograd)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n"


def test_pytorch_loaded_before_is_refused() -> None:
    code = "import torch; from zerograd.cli.importer import install; install()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.endswith(
        "RuntimeError: PyTorch is loaded already, so `import torch` cannot become zerograd in this process\n"
    )


def test_programs_that_could_export_or_train_in_many_processes_run_without(tmp_path: Path) -> None:
    """They import what that takes at their beginning, and use it on demand."""
    printed = lines_of(
        tmp_path,
        """
import torch
import torch.distributed as dist
import torch.onnx
from torch.distributed import all_gather, all_reduce, barrier, broadcast, destroy_process_group
from torch.nn.parallel import DistributedDataParallel as DDP

model = torch.nn.Linear(2, 1)
print(torch.onnx.is_in_onnx_export(), isinstance(model, DDP), dist.is_initialized())
for refused in (
    lambda: DDP(model), barrier, destroy_process_group, lambda: all_reduce(torch.ones(1)),
    lambda: broadcast(torch.ones(1), 0), lambda: all_gather([torch.ones(1)], torch.ones(1)),
    lambda: torch.onnx.export(model, (torch.ones(2),), "model.onnx"),
):
    try:
        refused()
    except Exception as error:
        print(type(error).__name__)
""",
    )
    without_group = ["ValueError", "ValueError", "AssertionError", "ValueError", "ValueError", "ValueError"]
    assert printed == ["False False False", *without_group, "RuntimeError"]
