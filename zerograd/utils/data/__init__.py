"""Datasets, samplers and the DataLoader.

Source: torch.utils.data.
"""

from __future__ import annotations

from zerograd.utils.data.dataloader import DataLoader as DataLoader
from zerograd.utils.data.dataloader import _DatasetKind as _DatasetKind
from zerograd.utils.data.dataloader import default_collate as default_collate
from zerograd.utils.data.dataloader import default_convert as default_convert
from zerograd.utils.data.dataloader import get_worker_info as get_worker_info
from zerograd.utils.data.dataset import ChainDataset as ChainDataset
from zerograd.utils.data.dataset import ConcatDataset as ConcatDataset
from zerograd.utils.data.dataset import Dataset as Dataset
from zerograd.utils.data.dataset import IterableDataset as IterableDataset
from zerograd.utils.data.dataset import StackDataset as StackDataset
from zerograd.utils.data.dataset import Subset as Subset
from zerograd.utils.data.dataset import TensorDataset as TensorDataset
from zerograd.utils.data.dataset import random_split as random_split
from zerograd.utils.data.distributed import DistributedSampler as DistributedSampler
from zerograd.utils.data.sampler import BatchSampler as BatchSampler
from zerograd.utils.data.sampler import RandomSampler as RandomSampler
from zerograd.utils.data.sampler import Sampler as Sampler
from zerograd.utils.data.sampler import SequentialSampler as SequentialSampler
from zerograd.utils.data.sampler import SubsetRandomSampler as SubsetRandomSampler
from zerograd.utils.data.sampler import WeightedRandomSampler as WeightedRandomSampler
