"""The functions of torch.nn.functional."""

from zerograd.nn.functional.adaptive_pooling import *
from zerograd.nn.functional.convolution import *
from zerograd.nn.functional.pooling import *
