"""Calls of a kernel made by compiled code, so that Python's own time is no part of what is measured."""

from __future__ import annotations

import ctypes
from typing import Any

from zerograd.engines.native.emit import Function
from zerograd.engines.native.jit import load


def repeating() -> Any:
    """A C function of (kernel, buffers, numbers, scratch, units, count) that calls the kernel ``count`` times.

    The first four are addresses: of the kernel's code, the table of buffers, its numbers and its scratch memory.
    """
    words = ("function", "buffers", "numbers", "scratch")
    f = Function("repeat_kernel", (*(("ptr", word) for word in words), ("i64", "units"), ("i64", "count")))
    function, buffers, numbers, scratch, units, count = f.arguments
    call = f"call void {function.name}({buffers}, {numbers}, i64 0, {units}, {scratch})"
    f.loop(0, count, 1, lambda i: f.do(call))
    word, place = ctypes.c_int64, ctypes.c_void_p
    code = load({"repeat_kernel": f.finish()})
    return ctypes.CFUNCTYPE(None, place, place, place, place, word, word)(code["repeat_kernel"])


__all__ = ["repeating"]
