"""Handles of hooks. Source: torch.utils.hooks."""

from zerograd.tensor.gradients import RemovableHandle

__all__ = ["RemovableHandle"]
