from __future__ import annotations

from typing import Any

import pytest
from nn.scenarios import agree


def net(library: Any) -> Any:
    layers = library.nn.Sequential(library.nn.Linear(3, 4), library.nn.BatchNorm1d(4), library.nn.Linear(4, 1))
    for index, param in enumerate(layers.parameters()):
        param.data.copy_(library.arange(param.numel()).reshape(param.shape) * 0.1 + index)
    return layers


def moved(library: Any, model: Any, by: float) -> None:
    for param in model.parameters():
        param.data.add_(by)
    model[1].running_mean.add_(by)


@pytest.mark.parametrize(
    ("kind", "use_buffers"),
    [
        *((kind, use_buffers) for kind in ("swa", "ema", "ema of lists", "own") for use_buffers in (False, True)),
        ("swa of lists", False),  # with buffers PyTorch itself fails, on the counter of BatchNorm
    ],
)
def test_averaged_models_follow_torch(kind: str, use_buffers: bool) -> None:
    def scenario(library: Any) -> Any:
        swa = library.optim.swa_utils
        given = {
            "swa": {},
            "ema": {"avg_fn": swa.get_ema_avg_fn(0.8)},
            "ema of lists": {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.8)},
            "swa of lists": {"multi_avg_fn": swa.get_swa_multi_avg_fn()},
            "own": {"avg_fn": lambda average, current, count: (average + current) / 2},
        }[kind]
        model = net(library)
        averaged = swa.AveragedModel(model, use_buffers=use_buffers, **given)
        for step in range(4):
            moved(library, model, 0.5 * step)
            averaged.update_parameters(model)
        return dict(averaged.state_dict())

    agree(scenario)


def test_batch_statistics_are_computed_anew() -> None:
    def scenario(library: Any) -> Any:
        model = net(library)
        averaged = library.optim.swa_utils.AveragedModel(model)
        batches = [library.arange(12).reshape(4, 3) * 0.1 + shift for shift in (0.0, 1.0, 5.0)]
        loader = [(batch, "label") for batch in batches]
        library.optim.swa_utils.update_bn(loader, averaged)
        norm = averaged.module[1]
        return norm.running_mean, norm.running_var, norm.momentum, averaged.training

    agree(scenario)


def test_an_averaged_model_computes_with_the_average() -> None:
    def scenario(library: Any) -> Any:
        model = net(library).eval()
        averaged = library.optim.swa_utils.AveragedModel(model)
        averaged.update_parameters(model)
        moved(library, model, 1.0)
        averaged.update_parameters(model)
        return averaged(library.ones(2, 3)).detach(), averaged.n_averaged

    agree(scenario)
