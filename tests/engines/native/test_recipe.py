"""Programs that are made from what the disk keeps of them: the same bits, and nobody is misled by what lies there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines.native.lowered import leaves

from zerograd import dtypes
from zerograd.engines.checking import programs
from zerograd.engines.native import codestore, jit, making, recipe
from zerograd.engines.native.codestore import Store
from zerograd.engines.native.program import compile
from zerograd.engines.native.recipe import Calls, name_of
from zerograd.ir.graph import Node, TensorType
from zerograd.ops.contraction import matmul
from zerograd.ops.elementwise import add, cast, mul
from zerograd.ops.movement import expand, reshape
from zerograd.ops.source import full
from zerograd.settings import settings


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of the test's own; graphs of all sizes are kept there."""
    monkeypatch.setattr(codestore, "store", Store(str(tmp_path), 1 << 26))
    monkeypatch.setattr(recipe, "LEAST", 1)
    return tmp_path / "v1"


@pytest.fixture
def nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function after whose call programs come from the disk, or not at all."""

    def forbid() -> None:
        def made(outputs: Any) -> None:
            raise AssertionError("a program was made though the disk has it")

        monkeypatch.setattr(making, "Making", made)

    return forbid


def bits(results: Sequence[np.ndarray[Any, Any]]) -> list[tuple[Any, ...]]:
    return [(one.dtype, one.shape, one.tobytes()) for one in results]


def copies(arrays: Sequence[Any]) -> list[Any]:
    return [np.array(one) if isinstance(one, np.ndarray) else one for one in arrays]


def kept(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name.startswith("program_"))


def chain(dtype: dtypes.dtype = dtypes.float32, factor: float = 3.0, rows: int = 4) -> Node:
    (x,) = leaves(np.empty((rows, 5), dtype.numpy))
    type = TensorType((rows, 5), dtype)
    number = Node(full, (), {"fill": factor, "type": type}, type, False)  # the recorder takes -0.0 for 0.0
    return add(mul(x, number), x)


def test_random_programs_come_back_with_the_same_bits(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back = 0
    for seed in range(60):
        trial = programs.program(seed).trial
        first = compile(trial.outputs)
        expected = bits(first(copies(trial.leaves)))
        name = name_of(trial.outputs)
        if name is None or not (disk / name).exists():
            assert not all(hasattr(part, "schedule") for part in first.parts), "not kept, though NumPy computes nothing"
            continue
        back += 1
        with monkeypatch.context() as patch:
            patch.setattr(making, "Making", None)
            again = compile(trial.outputs)
        assert bits(again(copies(trial.leaves))) == expected, seed
        assert bits(again(copies(trial.leaves))) == expected, seed
    assert back > 20


def test_kernels_come_back_with_it(disk: Path, nothing_is_made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    monkeypatch.setattr(jit, "_addresses", {})  # what other tests have compiled is not on this disk
    expected = bits(compile((chain(),))([x]))
    monkeypatch.setattr(jit, "_addresses", {})
    monkeypatch.setattr(jit, "_compile_one", None)
    nothing_is_made()
    assert bits(compile((chain(),))([x])) == expected
    assert len(kept(disk)) == 1


def test_a_program_whose_kernel_is_gone_is_made_anew(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    expected = bits(compile((chain(),))([x]))
    for one in disk.iterdir():
        if not one.name.startswith("program_"):
            one.unlink()
    monkeypatch.setattr(jit, "_addresses", {})
    assert bits(compile((chain(),))([x])) == expected
    assert len(list(disk.iterdir())) > 1, "its kernels are on the disk again"


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_a_damaged_file_is_made_anew(disk: Path, damage: bytes | None) -> None:
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    expected = bits(compile((chain(),))([x]))
    (name,) = kept(disk)
    whole = (disk / name).read_bytes()
    (disk / name).write_bytes(whole[:-3] + b"999" if damage is None else damage)
    assert bits(compile((chain(),))([x])) == expected
    assert (disk / name).read_bytes() == whole


def test_constants_numbers_and_parts_of_results_come_back(disk: Path, nothing_is_made: Any) -> None:
    (x,) = leaves(np.empty((4, 5), np.float32))
    weak = Node(
        leaves(np.empty(()))[0].op, (), {"slot": 1, "type": TensorType((), dtypes.float64, True)},
        TensorType((), dtypes.float64, True), False,
    )  # fmt: skip
    constant = cast(full(fill=2, type=TensorType((3,), dtypes.int64)), dtype=dtypes.float64)
    scaled = mul(x, expand(reshape(cast(weak, dtype=dtypes.float32), shape=(1, 1)), shape=(4, 5)))
    outputs = (scaled, reshape(scaled, shape=(20,)), constant, x, reshape(x, shape=(2, 10)))
    arrays = [np.arange(20, dtype=np.float32).reshape(4, 5), 0.5]
    expected = bits(compile(outputs)(copies(arrays)))
    nothing_is_made()
    assert bits(compile(outputs)(copies(arrays))) == expected
    arrays[1] = 0.25
    np.testing.assert_array_equal(compile(outputs)(copies(arrays))[0], arrays[0] / 4)


@pytest.mark.usefixtures("disk")
def test_what_differs_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        name_of((chain(),)),
        name_of((chain(dtypes.float64),)),
        name_of((chain(factor=3.5),)),
        name_of((chain(factor=-0.0),)),
        name_of((chain(factor=0.0),)),
        name_of((chain(rows=6),)),
        name_of((chain(), chain(factor=2.0))),
        name_of((chain(factor=2.0), chain())),
    ]
    x, y = leaves(np.empty((4, 4), np.float32), np.empty((4, 4), np.float32))
    names += [name_of((matmul(x, y),)), name_of((matmul(y, x),)), name_of((matmul(x, x),))]
    monkeypatch.setattr(settings, "threads", 7)
    names.append(name_of((chain(),)))
    assert None not in names
    assert len(set(names)) == len(names)
    monkeypatch.undo()


@pytest.mark.usefixtures("disk")
def test_equal_graphs_have_one_name() -> None:
    assert name_of((chain(),)) == name_of((chain(),))


@pytest.mark.usefixtures("disk")
def test_another_version_has_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    before = name_of((chain(),))
    recipe._version.cache_clear()
    stat_now = os.stat
    changed = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(jit.__file__))), "passes", "pipeline.py")

    def touched(path: Any, **options: Any) -> Any:
        found = stat_now(path, **options)
        return os.stat_result([*found[:6], found.st_size + 1, *found[7:]]) if str(path) == changed else found

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", touched)
        assert name_of((chain(),)) != before
    recipe._version.cache_clear()
    assert name_of((chain(),)) == before


@pytest.mark.usefixtures("disk")
def test_what_only_this_process_knows_has_no_name() -> None:
    (x,) = leaves(np.empty((4, 5), np.float32))
    strange = Node(add, (x, x), {"how": object()}, x.type, False)
    assert name_of((strange,)) is None


def test_small_graphs_are_not_kept(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "LEAST", 10)
    compile((chain(),))
    assert not disk.exists() or not kept(disk)


def test_without_a_folder_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "LEAST", 1)
    monkeypatch.setattr(codestore, "store", Store("", 1 << 20))
    assert name_of((chain(),)) is None


def test_a_file_holds_numbers_and_names_only(disk: Path) -> None:
    compile((chain(),))
    (name,) = kept(disk)
    piece = codestore.store.get(name)
    assert piece is not None
    length = int.from_bytes(piece[:4], "little")
    assert piece[4 : 4 + length].startswith(b'{"buffers"')
    made = recipe.recall(name)
    assert made is not None
    assert all(isinstance(part, Calls) for part in made.parts)
