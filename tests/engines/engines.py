"""The engines under test: every one that there is."""

from __future__ import annotations

import importlib.util

from zerograd.engines.checking.trying import ENGINES as MODULES
from zerograd.engines.checking.trying import Engine, engine


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None and hasattr(importlib.import_module(module), "compile")


ENGINES: list[Engine] = [engine(name) for name, module in MODULES.items() if _is_there(module)]
