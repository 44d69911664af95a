from __future__ import annotations

import contextlib
import io
import os
import pathlib
import pickle
import subprocess
import zipfile
from typing import Any

import pytest
import torch

import zerograd
from zerograd import serialization


class Attack:
    """Pickles as a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


ATTACKS = {
    "a shell command": lambda mark: Attack(os.system, f"touch {mark}"),
    "a process": lambda mark: Attack(subprocess.Popen, ["touch", str(mark)]),
    "eval": lambda mark: Attack(eval, f"open({str(mark)!r}, 'w')"),
    "open": lambda mark: Attack(open, str(mark), "w"),
    "getattr": lambda mark: Attack(getattr, "text", "upper"),
    "an import": lambda mark: Attack(__import__, "antigravity"),
    "a path": lambda mark: Attack(pathlib.Path.touch, mark),
    "a deleted folder": lambda mark: Attack(os.rmdir, str(mark.parent / "victim")),
    "torch.save": lambda mark: Attack(torch.save, 1, str(mark)),
    "torch.load": lambda mark: Attack(torch.load, str(mark)),
    "zerograd.save": lambda mark: Attack(zerograd.save, 1, str(mark)),
    "a function of the program": lambda mark: Attack(touching, str(mark)),
    "a class of the program with arguments": lambda mark: Attack(Touching, str(mark)),
    "a state that is set": lambda mark: Stateful(str(mark)),
    "a key with a hash": lambda mark: {Hashing(str(mark)): 1},
    "an object that acts when dropped": lambda mark: Dropped(str(mark)),
}


def touching(mark: str) -> None:
    pathlib.Path(mark).touch()


class Touching:
    def __new__(cls, *args: str) -> Any:
        if args:
            touching(*args)
        return super().__new__(cls)

    def __init__(self, *args: str) -> None:
        if args:
            touching(*args)


class Stateful:
    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __setstate__(self, state: Any) -> None:
        touching(state["mark"])


class Hashing:
    armed = False

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __hash__(self) -> int:
        if Hashing.armed:
            touching(self.mark)
        return 1

    def __eq__(self, other: object) -> bool:
        return True


class Dropped:
    armed = False

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __del__(self) -> None:
        if Dropped.armed:
            touching(self.mark)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_file_runs_code(
    attack: Any, weights_only: bool, protocol: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    victim = tmp_path / "victim"
    victim.mkdir()
    value = [zerograd.ones(2), attack(mark)]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value[1:], protocol))
        archive.writestr("archive/version", "3\n")
    value.clear()
    mark.unlink(missing_ok=True)
    monkeypatch.setattr(Hashing, "armed", True)
    monkeypatch.setattr(Dropped, "armed", True)
    data.seek(0)
    refused = pytest.raises(pickle.UnpicklingError, match="load") if weights_only else contextlib.nullcontext()
    with contextlib.suppress(pickle.UnpicklingError), refused:
        zerograd.load(data, weights_only=weights_only)
    assert not mark.exists()
    assert victim.exists()


def test_a_refused_name_is_said_with_what_to_do() -> None:
    data = io.BytesIO()
    torch.save({"made by": Attack(os.getcwd)}, data)
    for weights_only in (True, False):
        data.seek(0)
        with pytest.raises(pickle.UnpicklingError, match=r"posix\.getcwd[\s\S]*add_safe_globals\(\[posix\.getcwd\]\)"):
            zerograd.load(data, weights_only=weights_only)


def test_attributes_of_what_may_be_named_cannot_be_changed() -> None:
    """BUILD on a class or function would change it for the whole program."""
    for name in (b"torch._utils\n_rebuild_tensor_v2", b"torch\nTensor", b"collections\nOrderedDict", b"torch\nfloat32"):
        stream = b"\x80\x02c" + name + b"\nN}U\x04evil" + b"K\x01s\x86b."
        for weights_only in (True, False):
            data = io.BytesIO()
            with zipfile.ZipFile(data, "w") as archive:
                archive.writestr("archive/data.pkl", stream)
                archive.writestr("archive/version", "3\n")
            data.seek(0)
            with pytest.raises(pickle.UnpicklingError):
                zerograd.load(data, weights_only=weights_only)
    assert not hasattr(zerograd.Tensor, "evil")
    assert not hasattr(serialization.names.rebuild_tensor_v2, "evil")
