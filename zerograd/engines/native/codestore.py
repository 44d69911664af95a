"""Compiled code on the disk, so that a program that ran before starts without compiling.

    <cache folder>/v1/<name>    one file for each kernel

A file is a checksum, a short header and the code. It is written under another name and renamed, so that there are only
whole files, whoever else is writing. Whatever goes wrong (no such folder, read-only, full disk, damage) costs time and
is not reported: the code is compiled again.

Trust: these files are code that the process will run. Folder and files belong to the user and only they may write there
(modes 0700 and 0600); whatever belongs to someone else, or may be written by others, is refused. So only who can run
code as the user anyway can put code here. The checksum is there for accidents, not for enemies. Where files have no
owner in this sense (Windows), the protection is that of the user's profile folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterator

from zerograd.settings import settings

_VERSION = "v1"
_MAGIC = b"zerograd"
_BLOCK = 4096  # bytes that a file takes at least
_FRESH = 3600  # seconds in which a file's time of last use need not be renewed
_REMAINS = 0.75  # of the bound after old files were removed


def _default() -> str:
    """The user's folder for such things, by the customs of the system."""
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "zerograd")
    if sys.platform == "win32":
        return os.path.join(
            os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "zerograd", "cache"
        )
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "zerograd")


def _ours(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to the user, and nobody else may write to it."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


class Store:
    """Named pieces of bytes.

    Args:
        folder: where; "": nowhere.
        bound: bytes that all of it may take; what was not used for longest is removed first.
    """

    def __init__(self, folder: str, bound: int) -> None:
        self.bound = bound
        self.folder = os.path.join(folder, _VERSION) if folder else ""
        self._used: int | None = None  # bytes; None: not counted yet
        self._checked = False

    def _usable(self) -> bool:
        """Whether there is a folder to be trusted; asked once."""
        if not self._checked:
            self._checked = True
            try:
                os.makedirs(self.folder, 0o700, exist_ok=True)
            except OSError:
                self.folder = ""
                return False
            status = os.lstat(self.folder)
            if not (stat.S_ISDIR(status.st_mode) and _ours(status)):
                self.folder = ""
        return bool(self.folder)

    def get(self, name: str) -> bytes | None:
        """What was put under this name, if it is there and whole."""
        if not self.folder or not self._usable():
            return None
        path = os.path.join(self.folder, name)
        try:
            file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        except OSError:
            return None
        try:
            status = os.fstat(file)
            if not (stat.S_ISREG(status.st_mode) and _ours(status)):
                return None
            content = os.read(file, status.st_size + 1)
        except OSError:
            return None
        finally:
            os.close(file)
        piece = _unsealed(name, content)
        if piece is not None and time.time() - status.st_mtime > _FRESH:
            with contextlib.suppress(OSError):
                os.utime(path)
        return piece

    def put(self, name: str, piece: bytes) -> None:
        """Keep a piece, if that is possible. After a failure nothing more is tried in this process."""
        if not self.folder or not self._usable():
            return
        content = _sealed(name, piece)
        try:
            self._write(os.path.join(self.folder, name), content)
            self._account(len(content))
        except OSError:
            self.folder = ""

    def _write(self, path: str, content: bytes) -> None:
        import tempfile  # slow to import, and needed only where something was compiled

        file, temporary = tempfile.mkstemp(dir=self.folder)  # mode 0600
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _account(self, size: int) -> None:
        """Count what is there, and make room if it is too much."""
        if self._used is None:
            self._used = sum(taken for _, taken, _ in self._files())
        else:
            self._used += _taken(size)
        if self._used > self.bound:
            self._used = self._evict()

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """(time of last use, bytes taken, path) of each file."""
        with os.scandir(self.folder) as entries:
            for one in entries:
                with contextlib.suppress(OSError):
                    status = one.stat(follow_symlinks=False)
                    yield status.st_mtime, _taken(status.st_size), one.path

    def _evict(self) -> int:
        """Remove the longest unused files; gives the bytes that remain. Others may be doing the same."""
        files = sorted(self._files())
        remaining = sum(taken for _, taken, _ in files)
        for _, taken, path in files:
            if remaining <= self.bound * _REMAINS:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            remaining -= taken
        return remaining


def _taken(size: int) -> int:
    return size + -size % _BLOCK


def _digest(name: str, piece: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + piece).digest()


def _sealed(name: str, piece: bytes) -> bytes:
    """A piece with its checksum, into which its name goes too."""
    return _MAGIC + _digest(name, piece) + piece


def _unsealed(name: str, content: bytes) -> bytes | None:
    head = len(_MAGIC) + 32
    piece = content[head:]
    return piece if content[:head] == _MAGIC + _digest(name, piece) else None


def from_settings() -> Store:
    """The store that the settings describe."""
    folder = _default() if settings.cache_dir is None else settings.cache_dir
    return Store(folder, settings.cache_mb << 20)


store = from_settings()

__all__ = ["Store", "from_settings", "store"]
