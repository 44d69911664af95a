"""Models from the network: ``torch.hub``. Files are fetched; code from elsewhere is not run. Source: torch.hub."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
import urllib.request
from typing import Any, Never
from urllib.parse import urlparse

from zerograd import errors
from zerograd.serialization import load as load_file

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
"""Where the beginning of a file's SHA-256 stands in its name."""
_CHUNK = 1 << 20
_folder: str | None = None


def get_dir() -> str:
    """The folder that files are kept in: ``$TORCH_HOME/hub``, by default ~/.cache/torch/hub."""
    if _folder is not None:
        return _folder
    cache = os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache"))
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: Any) -> None:
    """Keep files in another folder."""
    global _folder
    _folder = os.path.expanduser(d)


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Fetch a file.

    Args:
        dst: where to put it; nothing is left there if fetching fails.
        hash_prefix: how its SHA-256 begins.
        progress: say on stderr what is being fetched.
    Raises:
        RuntimeError: it is another file than ``hash_prefix`` says.
    Source: torch.hub.download_url_to_file.
    """
    dst = os.path.expanduser(dst)
    if progress:
        print(f"fetching {url}", file=sys.stderr)
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "zerograd"})
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(dst) or ".", delete=False) as part:
        try:
            with urllib.request.urlopen(request) as answer:
                while chunk := answer.read(_CHUNK):
                    part.write(chunk)
                    digest.update(chunk)
            part.close()
            if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
                raise errors.runtime(
                    "the file that was fetched is not the one that was meant",
                    url=url, sha256=digest.hexdigest(), expected=f"{hash_prefix}...",
                )  # fmt: skip
            shutil.move(part.name, dst)
        finally:
            part.close()
            if os.path.exists(part.name):
                os.remove(part.name)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """What is in a file written by ``torch.save``, fetched unless it is there already.

    Source: torch.hub.load_state_dict_from_url.
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, file_name or os.path.basename(urlparse(url).path))
    if not os.path.exists(path):
        found = HASH_REGEX.search(os.path.basename(path)) if check_hash else None
        download_url_to_file(url, path, found[1] if found else None, progress)
    return load_file(path, map_location=map_location, weights_only=weights_only)


def _refuse(name: str) -> Never:
    raise errors.runtime(
        f"torch.hub.{name} runs code from the network, which is written for PyTorch; zerograd does not",
        hint="install the package that defines the model, and load its parameters with load_state_dict_from_url",
    )


def load(repo_or_dir: str, model: str, *args: Any, **kwargs: Any) -> Any:
    """Refuses to build a model from a repository's code: RuntimeError."""
    _refuse("load")


def list(github: str, *args: Any, **kwargs: Any) -> Any:
    """Refuses to look for the models in a repository: RuntimeError."""
    _refuse("list")


def help(github: str, model: str, *args: Any, **kwargs: Any) -> Any:
    """Refuses to show a model's documentation: RuntimeError."""
    _refuse("help")
