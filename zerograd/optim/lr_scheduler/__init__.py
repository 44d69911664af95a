"""Learning-rate schedules: each changes the `lr` of an optimizer's groups when its `step` is called.

Source: torch.optim.lr_scheduler.
"""

from __future__ import annotations

from zerograd.optim.lr_scheduler.composed import ChainedScheduler as ChainedScheduler
from zerograd.optim.lr_scheduler.composed import SequentialLR as SequentialLR
from zerograd.optim.lr_scheduler.cosine import CosineAnnealingLR as CosineAnnealingLR
from zerograd.optim.lr_scheduler.cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from zerograd.optim.lr_scheduler.cyclic import CyclicLR as CyclicLR
from zerograd.optim.lr_scheduler.decay import ExponentialLR as ExponentialLR
from zerograd.optim.lr_scheduler.decay import LinearLR as LinearLR
from zerograd.optim.lr_scheduler.decay import PolynomialLR as PolynomialLR
from zerograd.optim.lr_scheduler.functions import LambdaLR as LambdaLR
from zerograd.optim.lr_scheduler.functions import MultiplicativeLR as MultiplicativeLR
from zerograd.optim.lr_scheduler.one_cycle import OneCycleLR as OneCycleLR
from zerograd.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from zerograd.optim.lr_scheduler.scheduler import LRScheduler as LRScheduler
from zerograd.optim.lr_scheduler.scheduler import _LRScheduler as _LRScheduler
from zerograd.optim.lr_scheduler.steps import ConstantLR as ConstantLR
from zerograd.optim.lr_scheduler.steps import MultiStepLR as MultiStepLR
from zerograd.optim.lr_scheduler.steps import StepLR as StepLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
