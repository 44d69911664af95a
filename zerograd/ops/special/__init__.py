"""Special functions on NumPy arrays, without SciPy: array in, array of the same float type out.

Written from published series and from polynomials fitted for this project (``tables``, made by
tools/fit_special_functions.py). Poles, infinities and NaN are answered as torch.special answers them, except
where a file says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd import lazily


def kernel(path: str) -> Callable[..., Any]:
    """The kernel ``file.name``. Its file is loaded at the first call: most programs need none of them."""
    file, name = path.split(".")
    return lazily.function(f"{__name__}.{file}", name)
