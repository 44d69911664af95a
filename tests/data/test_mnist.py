"""The packaged digits and the reader of MNIST files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from zerograd.data import load_digits, load_mnist, read_idx


def idx(array: np.ndarray) -> bytes:
    """The idx file of an array of bytes."""
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return struct.pack(">HBB", 0, 8, array.ndim) + shape + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small set in MNIST's format; the test half is compressed."""
    random = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 4)):
        images, labels = random.integers(0, 256, (count, 5, 7)), np.arange(count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    return tmp_path


def test_the_packaged_digits_are_all_there_and_split_without_overlap() -> None:
    digits = load_digits()
    images = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0.0, 1.0)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert len(np.unique(images.reshape(1797, -1), axis=0)) == 1797
    assert len(digits.test_labels) == 359
    again = load_digits()
    assert np.array_equal(again.test_images, digits.test_images)


def test_files_plain_and_compressed_are_read(folder: Path) -> None:
    digits = load_mnist(folder)
    plain = read_idx(folder / "train-images-idx3-ubyte", dimensions=3)
    assert digits.train_images.shape == (6, 1, 5, 7)
    assert np.array_equal(digits.train_images[:, 0], plain.astype(np.float32) / 255)
    assert digits.train_labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert digits.test_images.shape == (4, 1, 5, 7)
    assert digits.test_labels.dtype == np.int64


def test_a_missing_folder_or_file_is_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent is not a folder; an MNIST folder holds train-images"):
        load_mnist(folder / "absent")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="has no t10k-labels-idx1-ubyte; an MNIST folder"):
        load_mnist(folder)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("train-images-idx3-ubyte", b"", "no idx file: 0 bytes, and the header alone takes 16"),
        (
            "train-images-idx3-ubyte",
            b"\x89PNG" + bytes(40),
            "starts with 0x89504e47; .* starts with 0x00000803",
        ),
        ("train-images-idx3-ubyte", idx(np.zeros(20)), "starts with 0x00000801; .* 3 dimensions"),
        (
            "train-images-idx3-ubyte",
            idx(np.zeros((6, 5, 7)))[:-1],
            "promises 6 x 5 x 7 = 210 bytes .* but 209 follow",
        ),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 5, 7))) + b"!", "but 211 follow"),
        ("train-images-idx3-ubyte", gzip.compress(idx(np.zeros((6, 5, 7))), mtime=0)[:-9], "damaged gzip file"),
        ("train-images-idx3-ubyte", b"\x1f\x8b" + bytes(30), "damaged gzip file"),
        ("train-images-idx3-ubyte", idx(np.zeros((5, 5, 7))), "holds 5 images, but .* 6 labels"),
        (
            "train-images-idx3-ubyte",
            idx(np.zeros((6, 5, 8))),
            "training images are 5x8 pixels, but test images 5x7",
        ),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 0, 7))), "holds no image"),
        ("train-labels-idx1-ubyte", idx(np.full(6, 10)), "holds the label 10; digits go from 0 to 9"),
    ],
)
def test_damaged_files_are_refused_with_the_reason(folder: Path, name: str, content: bytes, says: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=says):
        load_mnist(folder)
