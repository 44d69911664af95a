"""Gradients: ``torch.autograd``."""

from typing import TYPE_CHECKING

from zerograd import lazily
from zerograd.autograd.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from zerograd.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from zerograd.autograd.gradients import backward, grad

if TYPE_CHECKING:
    from zerograd.autograd import functional
    from zerograd.autograd.anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
    from zerograd.autograd.function import Function, once_differentiable
    from zerograd.autograd.variable import Variable

__getattr__, __dir__ = lazily.names(
    __name__,
    {
        "anomaly": "detect_anomaly is_anomaly_enabled set_detect_anomaly",
        "function": "Function once_differentiable",
        "variable": "Variable",
    },
    modules="functional",
)

__all__ = [
    "Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "functional",
    "grad", "gradcheck", "gradgradcheck", "inference_mode", "is_anomaly_enabled", "is_grad_enabled", "no_grad",
    "once_differentiable", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip
