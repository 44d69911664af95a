from __future__ import annotations

import collections
import contextlib
import io
import pathlib
import pickle
import stat
import warnings
import zipfile
from typing import Any

import numpy as np
import pytest
import torch
from nn.scenarios import compare, plain
from serialization.files import LIBRARIES, OLD, Make, through_file

import zerograd

DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
)  # fmt: skip


def checkpoint(library: Any) -> Any:
    net = library.nn.Sequential(library.nn.Linear(3, 2), library.nn.BatchNorm1d(2))
    optimizer = library.optim.AdamW(net.parameters(), lr=0.1)
    for param in net.parameters():
        param.data.copy_(library.arange(param.numel()).reshape(param.shape))
        param.grad = library.ones_like(param)
    optimizer.step()
    return {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": 0.25,
        "name": "größte",
        "history": [1, -1, 255, 256, -(2**31), 2**31, 2**70, -(2**70), 1e300, float("inf"), True, None, ("a", [])],
        "nested": collections.OrderedDict(b={"x": ()}, a=[b"\x00\xff", {1, 2}, 1j, bytearray(b"ab")]),
        "counts": collections.Counter("aab"),
    }


VALUES: dict[str, Make] = {
    "a checkpoint": checkpoint,
    "a tensor": lambda lib: lib.arange(6).reshape(2, 3),
    "a number": lambda lib: lib.tensor(1.5),
    "nothing": lambda lib: lib.ones(0, 3),
    "a parameter": lambda lib: lib.nn.Parameter(lib.ones(2), requires_grad=False),
    "a leaf": lambda lib: lib.ones(2, requires_grad=True),
    "a transposed tensor": lambda lib: lib.arange(6).reshape(2, 3).T,
    "every second column": lambda lib: lib.arange(15).reshape(3, 5)[1:, ::2],
    "an expanded tensor": lambda lib: lib.arange(3).expand(4, 3),
    "a diagonal": lambda lib: lib.arange(9).reshape(3, 3).diagonal(),
    "a size": lambda lib: lib.ones(2, 3).shape,
    "a dtype": lambda lib: [lib.float32, lib.bfloat16, lib.int64],
    "a device": lambda lib: [str(lib.device("cpu")), lib.device("cpu").type],
    "text of every length": lambda lib: ["x" * n for n in (0, 255, 256, 70_000)],
    "long lists": lambda lib: [list(range(3000)), {str(i): i for i in range(3000)}],
    "tensors with an attribute": lambda lib: [
        with_attribute(lib.ones(2)),
        with_attribute(lib.nn.Parameter(lib.ones(2))),
    ],
}
VALUES |= {dtype: lambda lib, dtype=dtype: lib.tensor([0, 1, 2]).to(getattr(lib, dtype)) for dtype in DTYPES}


def with_attribute(tensor: Any) -> Any:
    tensor.note = "mine"
    return tensor


@pytest.mark.parametrize("saving", [{}, OLD], ids=["zip", "old"])
@pytest.mark.parametrize("reader", LIBRARIES)
@pytest.mark.parametrize("writer", LIBRARIES)
@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_files_go_both_ways_between_torch_and_zerograd(make: Make, writer: str, reader: str, saving: Any) -> None:
    value = make(LIBRARIES[writer])
    loaded = through_file(value, LIBRARIES[writer], LIBRARIES[reader], saving)
    compare(plain(loaded, LIBRARIES[reader]), plain(value, LIBRARIES[writer]), 0.0, "loaded")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_can_be_written_and_read(protocol: int) -> None:
    value = checkpoint(zerograd)
    loaded = through_file(value, zerograd, zerograd, {"pickle_protocol": protocol}, weights_only=protocol < 4)
    compare(plain(loaded, zerograd), plain(value, zerograd), 0.0, "loaded")


@pytest.mark.parametrize("protocol", [1, 3, 4, 5])
def test_torch_files_of_every_pickle_protocol_are_read(protocol: int) -> None:
    value = checkpoint(torch)
    loaded = through_file(value, torch, zerograd, {"pickle_protocol": protocol}, weights_only=False)
    compare(plain(loaded, zerograd), plain(value, torch), 0.0, "loaded")


@pytest.mark.parametrize("saving", [{}, OLD], ids=["zip", "old"])
@pytest.mark.parametrize("reader", LIBRARIES)
@pytest.mark.parametrize("writer", LIBRARIES)
def test_tensors_that_share_memory_do_so_again(writer: str, reader: str, saving: Any) -> None:
    library = LIBRARIES[writer]
    x = library.arange(12).reshape(3, 4)
    parts = {"row": x[1], "whole": x, "again": x, "column": x[:, 2], "transposed": x.T, "steps": x[::2, 1::2]}
    loaded = through_file(parts, library, LIBRARIES[reader], saving)
    loaded["row"].zero_()
    loaded["column"].fill_(50)
    x[1] = 0
    x[:, 2] = 50
    for name, part in parts.items():
        assert loaded[name].tolist() == part.tolist(), name
        assert loaded[name].stride() == part.stride()
        assert loaded[name].storage_offset() == part.storage_offset()
    assert loaded["again"] is loaded["whole"]


@pytest.mark.parametrize("writer", LIBRARIES)
def test_a_tensor_in_another_memory_order_keeps_it(writer: str) -> None:
    library = LIBRARIES[writer]
    x = library.arange(24).reshape(2, 3, 2, 2).permute(0, 2, 3, 1).clone()
    loaded = through_file({"x": x, "part": x[0]}, library, zerograd)
    assert loaded["x"].stride() == x.stride()
    assert loaded["x"].tolist() == x.tolist()
    assert loaded["part"].tolist() == x[0].tolist()


def test_a_loaded_tensor_is_no_view() -> None:
    loaded = through_file(zerograd.ones(2, 3), zerograd, zerograd)
    assert not loaded._is_view()
    assert loaded.untyped_storage().nbytes() == 24


def test_one_memory_as_two_dtypes_cannot_be_saved() -> None:
    for library in (torch, zerograd):
        x = library.ones(4)
        with pytest.raises(RuntimeError, match="types"):
            library.save([x, x.view(library.int32)], io.BytesIO())


def test_a_pending_tensor_is_computed_and_saved() -> None:
    x = (zerograd.ones(3) * 2).cumsum(0)
    assert through_file(x, zerograd, torch).tolist() == [2, 4, 6]


# --- paths -----------------------------------------------------------------------------------------


def test_paths_of_both_kinds_and_files_work(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pth")):
        zerograd.save({"x": zerograd.ones(2)}, path)
        assert torch.load(path)["x"].tolist() == [1, 1]
        assert zerograd.load(path, map_location="cpu")["x"].tolist() == [1, 1]
        with open(path, "rb") as file:
            assert zerograd.load(file)["x"].tolist() == [1, 1]


def test_the_elements_lie_at_multiples_of_64_bytes_for_mapping(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.pt"
    value = {"a": zerograd.arange(5), "b": zerograd.ones(1000), "c": zerograd.ones(3, dtype=zerograd.bfloat16)}
    zerograd.save(value, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            header = path.read_bytes()[info.header_offset : info.header_offset + 30]
            begin = 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            assert (info.header_offset + begin) % 64 == 0, info
    for library in (torch, zerograd):
        loaded = library.load(path, mmap=True)
        assert {name: part.tolist() for name, part in loaded.items()} == {
            name: part.tolist() for name, part in value.items()
        }
        loaded["b"].add_(1)
        assert loaded["b"][0].item() == 2
    assert zerograd.load(path)["b"][0].item() == 1


def test_files_of_torch_can_be_mapped(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"a": torch.arange(1000), "b": torch.ones(3)}, path)
    assert zerograd.load(path, mmap=True)["a"].tolist() == list(range(1000))
    with pytest.raises(ValueError, match="path"):
        zerograd.load(io.BytesIO(path.read_bytes()), mmap=True)
    torch.save(torch.ones(1), path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap"):
        zerograd.load(path, mmap=True)


def test_equal_objects_give_equal_files() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    zerograd.save(checkpoint(zerograd), first)
    zerograd.save(checkpoint(zerograd), second)
    assert first.getvalue() == second.getvalue()


class Unsavable:
    def __reduce__(self) -> Any:
        raise ValueError("not this")


def test_a_failed_save_changes_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "kept.pt"
    zerograd.save([1, 2], path)
    with pytest.raises(ValueError, match="not this"):
        zerograd.save([zerograd.ones(1000), Unsavable()], path)
    assert zerograd.load(path) == [1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["kept.pt"]


def test_a_save_follows_links_and_keeps_permissions(tmp_path: pathlib.Path) -> None:
    path, link = tmp_path / "real.pt", tmp_path / "latest.pt"
    zerograd.save(1, path)
    plain_mode = stat.S_IMODE((tmp_path / "real.pt").stat().st_mode)
    with open(tmp_path / "other", "wb"):
        assert plain_mode == stat.S_IMODE((tmp_path / "other").stat().st_mode)
    path.chmod(0o640)
    link.symlink_to(path)
    zerograd.save(2, link)
    assert link.is_symlink()
    assert zerograd.load(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_saving_to_a_device_works() -> None:
    zerograd.save(zerograd.ones(3), "/dev/null")


def test_a_stream_that_cannot_be_sought_can_be_written() -> None:
    class Stream:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

        def flush(self) -> None:
            pass

    stream = Stream()
    zerograd.save({"x": zerograd.arange(5)}, stream)  # pyright: ignore[reportArgumentType]
    assert torch.load(io.BytesIO(stream.data))["x"].tolist() == [0, 1, 2, 3, 4]
    assert zerograd.load(io.BytesIO(stream.data))["x"].tolist() == [0, 1, 2, 3, 4]


WRONG: dict[str, Make] = {
    "a missing file": lambda lib: lib.load("/nonexistent/model.pt"),
    "a missing folder": lambda lib: lib.save(1, "/nonexistent/model.pt"),
    "no file to load": lambda lib: lib.load(3),
    "no file to save": lambda lib: lib.save(1, 3),
    "an empty file": lambda lib: lib.load(io.BytesIO()),
    "a pickle of something else": lambda lib: lib.load(io.BytesIO(pickle.dumps({"a": 1}, 2))),
    "a zip of something else": lambda lib: lib.load(io.BytesIO(some_zip())),
    "another device": lambda lib: through_file(torch.ones(1), torch, lib, map_location="cuda"),
    "another device by name": lambda lib: through_file(torch.ones(1), torch, lib, map_location={"cpu": "cuda:0"}),
    "weights_only with a pickle module": lambda lib: lib.load(io.BytesIO(), pickle_module=pickle, weights_only=True),
}


def some_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize("use", WRONG.values(), ids=WRONG)
def test_wrong_uses_raise_the_type_that_torch_raises(use: Make) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  torch says which
        use(torch)
    with pytest.raises(theirs.type):
        use(zerograd)


def test_text_is_no_pickle() -> None:
    for text in (b"hello world, this is no checkpoint", b"\x00\x01\x02", b"(((", b"]a.", b"K\x01K\x02s."):
        with pytest.raises(pickle.UnpicklingError):
            zerograd.load(io.BytesIO(text))


@pytest.mark.parametrize("saving", [{}, OLD], ids=["zip", "old"])
def test_damaged_files_are_errors_and_nothing_else(saving: Any) -> None:
    file = io.BytesIO()
    zerograd.save(checkpoint(zerograd), file, **saving)
    data = file.getvalue()
    random = np.random.default_rng(0)
    for trial in range(300):
        damaged = bytearray(data[: random.integers(len(data))] if trial % 3 == 0 else data)
        for place in random.integers(max(1, len(damaged)), size=trial % 3 * 3):
            damaged[place] = random.integers(256)
        with contextlib.suppress(pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
            zerograd.load(io.BytesIO(bytes(damaged)))


def test_map_location_may_be_a_function_or_a_device() -> None:
    seen = []

    def place(storage: Any, location: str) -> Any:
        seen.append(location)
        return storage

    for location in (place, lambda storage, location: None, zerograd.device("cpu"), {"cpu": "cpu"}, "cpu"):
        assert through_file(torch.ones(2), torch, zerograd, map_location=location).tolist() == [1, 1]
    assert seen == ["cpu"]


def test_files_of_very_old_forms_say_so() -> None:
    import tarfile

    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    file.seek(0)
    with pytest.raises(RuntimeError, match=r"0\.1\.10"):
        zerograd.load(file)
    script = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), script)
    script.seek(0)
    with pytest.raises(RuntimeError, match="TorchScript"):
        zerograd.load(script)


def test_byte_strings_of_python_2_are_text_by_default() -> None:
    stream = b"\x80\x02}q\x00(U\x03keyU\x05valueU\x04moreT\x03\x00\x00\x00abcu."
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", stream)
        archive.writestr("archive/version", "3\n")
    data.seek(0)
    assert zerograd.load(data) == {"key": "value", "more": "abc"}
    data.seek(0)
    assert zerograd.load(data, encoding="bytes") == {b"key": b"value", b"more": b"abc"}
