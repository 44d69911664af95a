"""Export to ONNX, which zerograd does not have: programs that import the module, and export only on demand, run.

Source: torch.onnx.
"""

from __future__ import annotations

from typing import Any, Never

from zerograd import errors


def is_in_onnx_export() -> bool:
    """Whether an export runs at this moment: no."""
    return False


def export(*args: Any, **kwargs: Any) -> Never:
    """Refuses to write an ONNX file: RuntimeError."""
    raise errors.runtime(
        "torch.onnx.export: zerograd writes no ONNX files",
        hint="save model.state_dict() with torch.save, load it under PyTorch, and export there",
    )
