"""One call of a function by PyTorch and by zerograd: values, gradients and second derivatives agree."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import zerograd

Pairs = list[tuple[Any, Any]]


def draw(*shape: int) -> Any:
    """Normal numbers in float64 that take gradients."""
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def fixed(*shape: int) -> Any:
    """Normal numbers in float64."""
    return torch.randn(*shape, dtype=torch.float64)


def chances(*shape: int) -> Any:
    """Numbers in (0, 1) in float64 that take gradients."""
    return (torch.rand(*shape, dtype=torch.float64) * 0.9 + 0.05).requires_grad_()


def ours(value: Any, pairs: Pairs) -> Any:
    """``value`` with zerograd's tensors in the place of PyTorch's; ``pairs`` collects both."""
    if isinstance(value, torch.Tensor):
        made = zerograd.tensor(
            value.detach().float().numpy() if value.dtype == torch.bfloat16 else value.detach().numpy()
        )
        if value.dtype == torch.bfloat16:
            made = made.bfloat16()
        if value.requires_grad:
            made.requires_grad_()
        pairs.append((value, made))
        return made
    if isinstance(value, list | tuple):
        return type(value)(ours(one, pairs) for one in value)
    return value


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def found(library: Any, name: str) -> Callable[..., Any]:
    return getattr(library.nn.functional, name, None) or getattr(library, name)


def called(library: Any, name: str, args: Any, kwargs: Any) -> list[Any]:
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(leaves(found(library, name)(*args, **kwargs)))


def same(theirs: Any, mine: Any, tolerance: float, what: str) -> None:
    if theirs is None or mine is None:  # no gradient and a gradient of zeros mean the same
        only = theirs if mine is None else mine
        assert only is None or not bool((only != 0).any()), what
        return
    assert tuple(theirs.shape) == tuple(mine.shape), f"{what}: shape {tuple(mine.shape)} for {tuple(theirs.shape)}"
    assert str(theirs.dtype) == str(mine.dtype), f"{what}: {mine.dtype} for {theirs.dtype}"
    wide = theirs.detach().float() if theirs.dtype == torch.bfloat16 else theirs.detach()
    array = np.asarray(mine.detach().tolist(), wide.numpy(force=True).dtype).reshape(tuple(theirs.shape))
    np.testing.assert_allclose(array, wide.numpy(force=True), rtol=tolerance, atol=tolerance, err_msg=what)


def check(name: str, *args: Any, second: bool = True, tolerance: float = 1e-8, **kwargs: Any) -> None:
    """Fails unless both libraries give the same values, gradients and (``second``) gradients of gradients."""
    pairs: Pairs = []
    mine = called(zerograd, name, ours(args, pairs), {key: ours(one, pairs) for key, one in kwargs.items()})
    theirs = called(torch, name, args, kwargs)
    assert len(mine) == len(theirs)
    for a, b in zip(theirs, mine, strict=True):
        same(a, b, tolerance, f"value of {name}")
    roots = [(a, b) for a, b in zip(theirs, mine, strict=True) if isinstance(a, torch.Tensor) and a.requires_grad]
    inputs = [pair for pair in pairs if pair[0].requires_grad]
    if roots and inputs:
        check_gradients(name, roots, inputs, second, max(tolerance, 1e-7))


def check_gradients(name: str, roots: Pairs, inputs: Pairs, second: bool, tolerance: float) -> None:
    above: Pairs = []
    seeds = [torch.randn_like(a).requires_grad_(second) for a, _ in roots]
    my_seeds = ours(seeds, above)
    theirs = torch.autograd.grad(
        [a for a, _ in roots], [a for a, _ in inputs], seeds, create_graph=second, allow_unused=True
    )
    mine = zerograd.autograd.grad(
        [b for _, b in roots], [b for _, b in inputs], my_seeds, create_graph=second, allow_unused=True
    )
    for a, b in zip(theirs, mine, strict=True):
        same(a, b, tolerance, f"gradient of {name}")
    both = [(a, b) for a, b in zip(theirs, mine, strict=True) if a is not None and b is not None]
    both = [(a, b) for a, b in both if a.requires_grad and b.requires_grad]
    if not second or not both:
        return
    weights = [torch.randn_like(a) for a, _ in both]
    sources = [*inputs, *above]
    theirs = torch.autograd.grad([a for a, _ in both], [a for a, _ in sources], weights, allow_unused=True)
    mine = zerograd.autograd.grad([b for _, b in both], [b for _, b in sources], ours(weights, []), allow_unused=True)
    for a, b in zip(theirs, mine, strict=True):
        same(a, b, 10 * tolerance, f"second gradient of {name}")


def outcome(library: Any, name: str, args: Any, kwargs: Any) -> str:
    """The type of the error that a call raises."""
    try:
        called(library, name, args, kwargs)
    except Exception as error:
        return type(error).__name__
    return "no error"


def refuses(name: str, *args: Any, **kwargs: Any) -> None:
    """Both libraries refuse the call, with the same type of error."""
    theirs = outcome(torch, name, args, kwargs)
    mine = outcome(zerograd, name, ours(args, []), {key: ours(one, []) for key, one in kwargs.items()})
    assert theirs != "no error"
    assert mine == theirs
