"""Optimizers, one rule per file, and learning-rate schedules.

Source: torch.optim.
"""

from __future__ import annotations

from zerograd.optim import lr_scheduler as lr_scheduler
from zerograd.optim import swa_utils as swa_utils
from zerograd.optim._adafactor import Adafactor as Adafactor
from zerograd.optim._muon import Muon as Muon
from zerograd.optim.adadelta import Adadelta as Adadelta
from zerograd.optim.adagrad import Adagrad as Adagrad
from zerograd.optim.adam import Adam as Adam
from zerograd.optim.adamax import Adamax as Adamax
from zerograd.optim.adamw import AdamW as AdamW
from zerograd.optim.asgd import ASGD as ASGD
from zerograd.optim.lbfgs import LBFGS as LBFGS
from zerograd.optim.nadam import NAdam as NAdam
from zerograd.optim.optimizer import Optimizer as Optimizer
from zerograd.optim.radam import RAdam as RAdam
from zerograd.optim.rmsprop import RMSprop as RMSprop
from zerograd.optim.rprop import Rprop as Rprop
from zerograd.optim.sgd import SGD as SGD
from zerograd.optim.sparse_adam import SparseAdam as SparseAdam
