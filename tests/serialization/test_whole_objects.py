from __future__ import annotations

import argparse
import collections
import enum
import io
import pathlib
import pickle
import zipfile
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from serialization.files import through_file

import zerograd
from zerograd import serialization


def touching(mark: str) -> None:
    pathlib.Path(mark).touch()


class Config:
    def __init__(self, width: int) -> None:
        self.width = width


class Slotted:
    __slots__ = ("width",)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: int


class Settings(dict[str, Any]):
    pass


class Net(zerograd.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = zerograd.nn.Sequential(
            zerograd.nn.Conv2d(1, 2, 3), zerograd.nn.BatchNorm2d(2), zerograd.nn.ReLU()
        )
        self.rnn = zerograd.nn.LSTM(4, 3, bidirectional=True)
        self.activation = zerograd.nn.functional.relu
        self.config = Config(5)

    def forward(self, x: Any) -> Any:
        return self.rnn(self.activation(self.layers(x)).flatten(2)[:, :, :4].transpose(0, 1))[0]


def test_a_declared_class_is_loaded_inside_the_block_only() -> None:
    file = io.BytesIO()
    zerograd.save({"config": Config(3)}, file)
    for attempt in range(3):
        file.seek(0)
        if attempt == 1:
            with zerograd.serialization.safe_globals([Config]):
                assert serialization.get_safe_globals() == [Config]
                assert zerograd.load(file)["config"].width == 3
        else:
            with pytest.raises(pickle.UnpicklingError, match="Config"):
                zerograd.load(file)
    assert serialization.get_safe_globals() == []


def test_declarations_last_until_they_are_cleared() -> None:
    file = io.BytesIO()
    zerograd.save([Config(3), pathlib.PurePosixPath("a/b")], file)
    with zipfile.ZipFile(file) as archive:
        name = archive.namelist()[0]
        assert b"PurePosixPath" in archive.read(name)
    file.seek(0)
    unsafe = serialization.get_unsafe_globals_in_checkpoint(file)
    assert unsafe == [f"{Config.__module__}.Config", "pathlib.PurePosixPath"]
    serialization.add_safe_globals([(Config, unsafe[0]), pathlib.PurePosixPath])
    try:
        file.seek(0)
        config, path = zerograd.load(file)
        assert (config.width, path) == (3, pathlib.PurePosixPath("a/b"))
    finally:
        serialization.clear_safe_globals()
    with pytest.raises(ValueError, match="pair"):
        serialization.add_safe_globals([(Config, "a", "b")])
    with pytest.raises(TypeError, match="text"):
        serialization.add_safe_globals([(Config, 3)])


def test_without_weights_only_data_of_the_program_is_loaded() -> None:
    slotted = Slotted()
    slotted.width = 7
    values = {
        "config": Config(3),
        "slotted": slotted,
        "color": Color.BLUE,
        "point": Point(1, 2),
        "settings": Settings(a=1),
        "args": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "default": collections.defaultdict(list, a=[1]),
        "deque": collections.deque([1, 2], maxlen=5),
        "frozen": frozenset({1, 2}),
        "range": [range(3), slice(1, 2)],
        "path": pathlib.Path("a/b.txt"),
        "array": np.arange(6, dtype="f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "numpy number": np.float64(1.5),
        "numpy integer": np.int32(7),
        "numpy dtype": np.dtype(">i2"),
        "keys": {(1, "a"): 1, np.int64(3): 2, Color.RED: 3, zerograd.float32: 4},
        "function": touching,
        "class": Config,
    }
    for writer, protocol in ((zerograd, 2), (zerograd, 4), (torch, 2)):
        mine = dict(values)
        if writer is torch:
            mine["keys"] = {(1, "a"): 1, np.int64(3): 2, Color.RED: 3, torch.float32: 4}
        loaded = through_file(mine, writer, zerograd, {"pickle_protocol": protocol}, weights_only=False)
        assert loaded["config"].width == 3
        assert loaded["slotted"].width == 7
        for name in ("array", "fortran"):
            np.testing.assert_array_equal(loaded[name], values[name])
            assert loaded[name].flags.f_contiguous == values[name].flags.f_contiguous
        for name in set(values) - {"config", "slotted", "array", "fortran"}:
            assert loaded[name] == values[name], name
            assert type(loaded[name]) is type(values[name])
        with pytest.raises(pickle.UnpicklingError):
            through_file(mine, writer, zerograd, {"pickle_protocol": protocol})


def test_a_whole_module_is_saved_and_computes_the_same() -> None:
    zerograd.manual_seed(0)
    net = Net().eval()
    x = zerograd.rand(1, 1, 4, 4)
    expected = net(x).tolist()
    loaded = through_file(net, zerograd, zerograd, weights_only=False)
    assert type(loaded) is Net
    assert loaded.config.width == 5
    assert not loaded.training
    assert loaded(x).tolist() == expected
    assert repr(loaded) == repr(net)
    assert [name for name, _ in loaded.named_parameters()] == [name for name, _ in net.named_parameters()]
    loaded.rnn.bias_ih_l0.data.add_(1)
    assert loaded(x).tolist() != expected
    with pytest.raises(pickle.UnpicklingError):
        through_file(net, zerograd, zerograd)


def layers(library: Any) -> Any:
    nn = library.nn
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(8, 4),
        nn.LayerNorm(4),
        nn.Dropout(0.5),
    )
    for index, param in enumerate(net.parameters()):
        param.data.copy_((library.arange(param.numel()).reshape(param.shape) + index) % 7 / 7)
    return net.eval()


def test_a_whole_module_that_torch_has_saved_is_loaded() -> None:
    theirs = layers(torch)
    ours = through_file(theirs, torch, zerograd, weights_only=False)
    assert repr(ours) == repr(theirs)
    assert isinstance(ours, zerograd.nn.Sequential)
    x = np.linspace(-1, 1, 32, dtype="f4").reshape(2, 1, 4, 4)
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(zerograd.tensor(x)).detach().numpy(), expected, atol=1e-5)


def test_a_whole_optimizer_is_saved_with_its_parameters() -> None:
    param = zerograd.nn.Parameter(zerograd.tensor([1.0, 2.0]))
    optimizer = zerograd.optim.Adam([param], lr=0.1)
    param.grad = zerograd.ones(2)
    optimizer.step()
    loaded_param, loaded = through_file([param, optimizer], zerograd, zerograd, weights_only=False)
    for one, its in ((loaded, loaded_param), (optimizer, param)):
        its.grad = zerograd.ones(2)
        one.step()
    assert loaded_param.tolist() == param.tolist()


def test_the_environment_decides_as_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    zerograd.save(Config(3), file)

    def load(**given: Any) -> Any:
        file.seek(0)
        return zerograd.load(file, **given)

    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.warns(UserWarning, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        assert load().width == 3
    with pytest.raises(pickle.UnpicklingError):
        load(weights_only=True)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="both set"):
        load()
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    with pytest.raises(pickle.UnpicklingError):
        load(weights_only=False)
