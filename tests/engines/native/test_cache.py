"""Compiled code on the disk: found again, never trusted when it should not be, never in the way."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from engines.native.tiny import ROOT, python

from zerograd.engines.native import codestore, image, jit, target
from zerograd.engines.native.codestore import Store
from zerograd.engines.native.emit import Function
from zerograd.engines.native.kernel import Kernel

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner and mode here")
elf = pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine != "x86_64", reason="other objects")


def constant(number: int) -> Kernel:
    """A function that gives a number."""
    f = Function("kernel", (), "i64")
    return Kernel("constant", f.finish(f.const(number, "i64")))


def remainder() -> Kernel:
    """fmod(x, y), which LLVM calls the C library for; 0.75 and other constants come from memory."""
    f = Function("kernel", (("double", "x"), ("double", "y")), "double")
    x, y = f.arguments
    return Kernel("remainder", f.finish(f.add(f.rem(f.mul(x, 0.75), y), 1e-3)))


def load(kernel: Kernel, **externals: int) -> int:
    return jit.load({kernel.symbol: kernel.text}, externals)[kernel.symbol]


def number(kernel: Kernel) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64)(load(kernel))()


class Disk:
    """A folder of the test's own, and what was compiled since the last ``forget``."""

    def __init__(self, patch: pytest.MonkeyPatch, path: Path) -> None:
        self.patch, self.path = patch, path
        self.compiled: list[str] = []
        compile_one = jit._compile_one

        def noted(name: str, text: str) -> Any:
            self.compiled.append(name)
            return compile_one(name, text)

        patch.setattr(jit, "_compile_one", noted)
        self.forget()

    def forget(self, bound: int = 1 << 20) -> None:
        """What a new process knows."""
        self.patch.setattr(jit, "_addresses", {})
        self.patch.setattr(codestore, "store", Store(str(self.path), bound))
        self.compiled.clear()

    def files(self) -> list[Path]:
        folder = self.path / "v1"
        return sorted(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    return Disk(monkeypatch, tmp_path / "cache")


@pytest.fixture(params=["image", "object"])
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Code is linked by image.py, and by LLVM."""
    if request.param == "object":
        monkeypatch.setattr(image, "link", lambda data, name: None)
    return request.param


@pytest.mark.usefixtures("both")
def test_what_was_compiled_is_found_again(disk: Disk) -> None:
    kernels = [constant(n) for n in range(5)]
    assert [number(one) for one in kernels] == list(range(5))
    assert len(disk.compiled) == 5
    assert len(disk.files()) == 5
    disk.forget()
    assert [number(one) for one in kernels] == list(range(5))
    assert not disk.compiled


@pytest.mark.usefixtures("both")
def test_functions_of_the_c_library_are_called(disk: Disk) -> None:
    for _ in range(2):
        function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)(load(remainder()))
        assert function(10.0, 2.0) == 1.5 + 1e-3
        disk.forget()


@pytest.mark.usefixtures("both")
def test_functions_from_elsewhere_are_called(disk: Disk) -> None:
    f = Function("kernel", (("i64", "x"),), "i64")
    kernel = Kernel("caller", f.finish(f.add(f.call("somewhere_else", "i64", f.arguments[0]), 1)))
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
    for factor in (2, 3):
        other = kind(lambda x, factor=factor: factor * x)
        address = ctypes.cast(other, ctypes.c_void_p).value or 0
        assert kind(load(kernel, somewhere_else=address))(20) == 20 * factor + 1
        disk.forget()
    with pytest.raises(RuntimeError, match=r"somewhere_else|materialize"):  # by us, by LLVM
        load(kernel)


@elf
def test_what_kernels_consist_of_needs_no_linker_of_llvms(disk: Disk) -> None:
    load(remainder())
    kept = jit._unpacked(codestore.store.get(disk.files()[0].name) or b"")
    assert isinstance(kept, image.Image)
    assert [name for name, _ in kept.holes] == ["fmod"]


def test_what_is_no_object_is_left_to_llvm() -> None:
    for data in (b"", b"MZ" + bytes(200), b"\x7fELF\x02\x01" + bytes(200), b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0"):
        assert image.link(data, "kernel") is None


def test_text_that_is_no_llvm_ir_is_refused(disk: Disk) -> None:
    with pytest.raises(RuntimeError, match="parsing"):
        jit.load({f"bad{n}": "define nonsense" for n in range(4)})
    assert not disk.files()


@elf
def test_a_program_that_ran_before_does_not_load_llvm(tmp_path: Path) -> None:
    script = """
import sys
from tiny import Mixing
print(Mixing(5, 3).right(2), "llvmlite.binding" in sys.modules)
"""
    assert python(script, ZEROGRAD_CACHE_DIR=str(tmp_path)) == "True True\n"
    assert python(script, ZEROGRAD_CACHE_DIR=str(tmp_path)) == "True False\n"
    assert python(script, ZEROGRAD_CACHE_DIR="") == "True True\n"


@elf
def test_the_machine_is_known_from_the_disk_as_llvm_tells_it(tmp_path: Path) -> None:
    script = "from zerograd.engines.native.target import host, _ask; print(host() == _ask(), host())"
    told = [python(script, ZEROGRAD_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    assert told[0] == told[1] == f"True {target.host()}\n"


@pytest.mark.parametrize("where", [0, 8, 20, 40, 60, -1])
def test_damaged_files_are_compiled_anew(disk: Disk, where: int) -> None:
    number(constant(7))
    (file,) = disk.files()
    content = bytearray(file.read_bytes())
    content[where] ^= 1
    file.write_bytes(content)
    disk.forget()
    assert number(constant(7)) == 7
    assert len(disk.compiled) == 1
    disk.forget()
    assert number(constant(7)) == 7
    assert not disk.compiled  # it was written again


def test_truncated_and_lengthened_files_are_compiled_anew(disk: Disk) -> None:
    number(constant(7))
    (file,) = disk.files()
    content = file.read_bytes()
    for changed in (b"", content[:5], content[:40], content[:-1], content + b"\0"):
        file.write_bytes(changed)
        disk.forget()
        assert number(constant(7)) == 7
        assert len(disk.compiled) == 1


def test_a_file_under_another_name_is_not_taken(disk: Disk) -> None:
    number(constant(1))
    (one,) = disk.files()
    number(constant(2))
    (two,) = (file for file in disk.files() if file != one)
    two.write_bytes(one.read_bytes())
    disk.forget()
    assert number(constant(2)) == 2
    assert len(disk.compiled) == 1


def test_equal_names_of_different_texts_are_told_apart(disk: Disk) -> None:
    for n in (1, 2):
        text = constant(n).text.replace(constant(n).symbol, "fixed")
        assert ctypes.CFUNCTYPE(ctypes.c_int64)(jit.load({"fixed": text})["fixed"])() == n
        disk.forget()


def test_a_described_kernel_is_written_only_where_there_is_no_code(disk: Disk) -> None:
    written = []

    def described(n: int) -> Kernel:
        def write() -> str:
            written.append(n)
            f = Function("kernel", (), "i64")
            return f.finish(f.const(n, "i64"))

        return Kernel.described("constant", f"the number {n}", write)

    assert described(1).symbol == described(1).symbol != described(2).symbol
    for _ in range(2):
        found = {n: jit.load({(one := described(n)).symbol: one.source})[one.symbol] for n in (1, 2)}
        assert [ctypes.CFUNCTYPE(ctypes.c_int64)(found[n])() for n in (1, 2)] == [1, 2]
        disk.forget()
    assert written == [1, 2]


def test_descriptions_mean_something_else_after_a_change_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = jit.described("constant", "the number 1")
    jit._engine.cache_clear()
    stat_now = os.stat
    changed = os.path.join(os.path.dirname(jit.__file__), "emit.py")

    def touched(path: Any, **options: Any) -> Any:
        found = stat_now(path, **options)
        return os.stat_result([*found[:6], found.st_size + 1, *found[7:]]) if str(path) == changed else found

    monkeypatch.setattr(os, "stat", touched)
    assert jit.described("constant", "the number 1") != before
    monkeypatch.undo()
    jit._engine.cache_clear()
    assert jit.described("constant", "the number 1") == before


@posix
def test_only_the_user_may_read_and_write(disk: Disk) -> None:
    number(constant(1))
    assert stat.S_IMODE((disk.path / "v1").stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in disk.files()] == [0o600]


@posix
@pytest.mark.parametrize("fault", ["others may write", "group may write", "a link", "someone else's"])
def test_files_that_others_could_have_made_are_refused(disk: Disk, fault: str) -> None:
    number(constant(1))
    (file,) = disk.files()
    if fault == "a link":
        file.rename(disk.path / "elsewhere")
        file.symlink_to(disk.path / "elsewhere")
    elif fault == "someone else's":
        fstat = os.fstat
        user = os.geteuid() + 1
        disk.patch.setattr(os, "fstat", lambda f: os.stat_result([*fstat(f)[:4], user, *fstat(f)[5:]]))
    else:
        file.chmod(0o606 if fault == "others may write" else 0o660)
    disk.forget()
    assert number(constant(1)) == 1
    assert len(disk.compiled) == 1


@posix
@pytest.mark.parametrize("fault", ["others may write", "a link", "someone else's"])
def test_a_folder_that_others_could_fill_is_not_used(disk: Disk, fault: str) -> None:
    number(constant(1))
    folder = disk.path / "v1"
    if fault == "a link":
        folder.rename(disk.path / "elsewhere")
        folder.symlink_to(disk.path / "elsewhere")
    elif fault == "someone else's":
        user = os.geteuid() + 1
        disk.patch.setattr(os, "geteuid", lambda: user)
    else:
        folder.chmod(0o777)
    disk.forget()
    assert number(constant(1)) == 1
    assert number(constant(2)) == 2
    assert len(disk.compiled) == 2
    assert len(disk.files()) == 1


def test_no_folder_and_folders_that_cannot_be_made_cost_nothing_but_time(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("", str(tmp_path / "file" / "below")):
        disk.forget()
        disk.patch.setattr(codestore, "store", Store(folder, 1 << 20))
        assert number(constant(3)) == 3
    assert not disk.files()


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT])
def test_disks_that_refuse_are_asked_once(disk: Disk, code: int) -> None:
    asked = []

    def refuse(*_: Any) -> None:
        asked.append(1)
        raise OSError(code, os.strerror(code))

    disk.patch.setattr(os, "replace", refuse)
    assert [number(constant(n)) for n in range(3)] == [0, 1, 2]
    assert len(asked) == 1
    assert not disk.files()  # not even a temporary one


@posix
def test_a_disk_that_is_full_in_the_midst_of_a_file(tmp_path: Path) -> None:
    script = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
from tiny import Mixing
print(Mixing(5, 3).right(2))
"""
    assert python(script, ZEROGRAD_CACHE_DIR=str(tmp_path), PYTHONDONTWRITEBYTECODE="1") == "True\n"
    assert not list((tmp_path / "v1").iterdir())


def test_what_was_not_used_for_longest_goes_first(disk: Disk) -> None:
    for n in range(8):
        number(constant(n))
    now = time.time()
    files = {file.name: file for file in disk.files()}
    names = [jit.key(constant(n).symbol, constant(n).text) for n in range(8)]
    for n, name in enumerate(names):
        os.utime(files[name], (now - 10_000 * (n + 1),) * 2)
    disk.forget(bound=6 * 4096)
    assert number(constant(7)) == 7  # the oldest, which is used now
    assert not disk.compiled
    number(constant(100))  # 9 files are more than 6: 4 stay
    left = {file.name for file in disk.files()}
    assert left == {names[0], names[1], names[7], jit.key(constant(100).symbol, constant(100).text)}


def test_the_bound_holds_in_the_long_run(disk: Disk) -> None:
    disk.forget(bound=10 * 4096)
    for n in range(50):
        number(constant(1000 + n))
        assert len(disk.files()) <= 10
    assert len(disk.files()) >= 7


def test_several_processes_may_fill_the_same_folder(tmp_path: Path) -> None:
    script = """
import ctypes
from test_cache import constant, jit
kernels = [constant(n) for n in range(25)]
found = jit.load({one.symbol: one.text for one in kernels})
print([ctypes.CFUNCTYPE(ctypes.c_int64)(found[one.symbol])() for one in kernels] == list(range(25)))
"""
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    for bound in ("256", "0"):  # with 0 each removes what the others write
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "ZEROGRAD_CACHE_DIR": str(tmp_path)}
        variables["ZEROGRAD_CACHE_MB"] = bound
        started = [
            subprocess.Popen(
                [sys.executable, "-c", script],
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(4)
        ]
        assert [one.communicate(timeout=120)[0] for one in started] == ["True\n"] * 4
        store = Store(str(tmp_path), 1 << 20)
        assert all(store.get(file.name) for file in (tmp_path / "v1").iterdir())


def test_the_place_follows_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    found = {}
    for system in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        found[system] = codestore._default()
    assert found == {
        "linux": "/home/ada/.cache/zerograd",
        "darwin": "/home/ada/Library/Caches/zerograd",
        "win32": "/local/zerograd/cache",
    }
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert codestore._default() == "/xdg/zerograd"
