"""The processor. Source: torch.backends.cpu."""

from __future__ import annotations

_FEATURES = (("AVX512", "AVX512_SKX"), ("AVX2", "AVX2"))


def get_cpu_capability() -> str:
    """The widest vector instructions that NumPy has found: "AVX512", "AVX2" or "DEFAULT"."""
    from numpy._core._multiarray_umath import __cpu_features__ as found

    return next((name for name, feature in _FEATURES if found.get(feature)), "DEFAULT")
