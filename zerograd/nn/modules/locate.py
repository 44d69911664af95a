"""Telling the user in which layer of a model an error was raised."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zerograd.nn.modules.module import Module


def locate(error: Exception, module: Module) -> None:
    """Note on ``error``, raised inside the forward of ``module``, where in the model that was.

    The innermost call sees the error first and knows only itself; each enclosing call then extends the path
    by the
    name under which it holds the module, so that one note remains: ``in Net.layers.2 = Linear(...)``.
    """
    with contextlib.suppress(Exception):  # the user's error matters more than its note
        known = error.__dict__.get("_zerograd_location")
        if known is None:
            culprit, path, old = module, [], None
        else:
            caller, culprit, path, old = known
            name = next((name for name, child in module.named_modules() if child is caller), "")
            if not name:  # called by a module that does not hold it: the shorter path is all there is
                return
            path = [name, *path]
        title = f"{culprit._get_name()}({' '.join(culprit.extra_repr().split())})"
        note = f"in {'.'.join([module._get_name(), *path])} = {title}" if path else f"in {title}"
        if old is not None:
            error.__notes__.remove(old)
        error.add_note(note)
        error.__dict__["_zerograd_location"] = module, culprit, path, note
