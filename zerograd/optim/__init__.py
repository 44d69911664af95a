"""Optimizers, one rule per file, and learning-rate schedules.

Source: torch.optim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerograd import lazily
from zerograd.optim.optimizer import Optimizer

if TYPE_CHECKING:
    from zerograd.optim import lr_scheduler
    from zerograd.optim import swa_utils
    from zerograd.optim._adafactor import Adafactor
    from zerograd.optim._muon import Muon
    from zerograd.optim.adadelta import Adadelta
    from zerograd.optim.adagrad import Adagrad
    from zerograd.optim.adam import Adam
    from zerograd.optim.adamax import Adamax
    from zerograd.optim.adamw import AdamW
    from zerograd.optim.asgd import ASGD
    from zerograd.optim.lbfgs import LBFGS
    from zerograd.optim.nadam import NAdam
    from zerograd.optim.radam import RAdam
    from zerograd.optim.rmsprop import RMSprop
    from zerograd.optim.rprop import Rprop
    from zerograd.optim.sgd import SGD
    from zerograd.optim.sparse_adam import SparseAdam

__getattr__, __dir__ = lazily.names(
    __name__,
    {
        "_adafactor": "Adafactor",
        "_muon": "Muon",
        "adadelta": "Adadelta",
        "adagrad": "Adagrad",
        "adam": "Adam",
        "adamax": "Adamax",
        "adamw": "AdamW",
        "asgd": "ASGD",
        "lbfgs": "LBFGS",
        "nadam": "NAdam",
        "radam": "RAdam",
        "rmsprop": "RMSprop",
        "rprop": "Rprop",
        "sgd": "SGD",
        "sparse_adam": "SparseAdam",
    },
    modules="lr_scheduler swa_utils",
)

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
