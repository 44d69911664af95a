from __future__ import annotations

import ctypes

import numpy as np


class Schedule:
    def __init__(self, phases, scratch):
        self.calls = [
            (
                ctypes.CFUNCTYPE(
                    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p
                )(a),
                n,
                l,
                h,
            )
            for ph in phases
            for task in ph
            for a, n, l, h in task
        ]
        self.scratch = np.empty(scratch + 64, np.uint8)

    def run(self, buffers, threads):
        s = self.scratch.ctypes.data
        s += -s % 64
        for k, n, l, h in self.calls:
            k(buffers, n, l, h, s)
