"""Work done in a process of its own: a fork of this one."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

import pytest

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


def in_child(work: Callable[[], Any]) -> int:
    """The exit status of a fork that does ``work`` within a minute; 0 if that gives True."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn wherever there are threads
        child = os.fork()
    if not child:
        signal.alarm(60)
        status = 3
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
