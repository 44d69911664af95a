"""What the DataLoader is made of. What only worker processes need loads when there are some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerograd import lazily

if TYPE_CHECKING:
    from zerograd.utils.data._utils.pool import Pool
    from zerograd.utils.data._utils.worker import Ended, Task

__getattr__, __dir__ = lazily.names(__name__, {"pool": "Pool", "worker": "Ended Task"})

__all__ = ["Ended", "Pool", "Task"]
