"""Wrong calls raise PyTorch's error type, in our own words, and change nothing.

Every entry is run by both libraries. ``T`` is the library, ``w`` its fixed tensors (``World``), whose values and
versions must be what they were after the failed call.
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch as pytorch

import zerograd


class World:
    """The tensors that wrong calls are made with."""

    def __init__(self, lib: ModuleType) -> None:
        self.a = lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        self.b = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
        self.v = lib.tensor([1.0, 2.0, 3.0])
        self.i = lib.tensor([0, 1, 2])
        self.m = lib.tensor([True, False])
        self.d = lib.tensor([1.0, 2.0, 3.0], dtype=lib.float64)
        self.w = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
        self.y = self.w * 2.0
        self.image = lib.zeros(1, 3, 8, 8)

    def state(self) -> list[Any]:
        return [
            (name, one.detach().tolist(), one._version, one.requires_grad, str(one.dtype))
            for name, one in vars(self).items()
        ]


def _early_parameter(T: Any, w: World) -> None:
    class Early(T.nn.Module):
        def __init__(self) -> None:
            self.p = T.nn.Parameter(w.v)

    Early()


Wrong = Callable[[Any, World], Any]
TABLE: dict[str, Wrong] = {
    # --- shapes that do not fit
    "add sizes": lambda T, w: w.a + w.b,
    "sub sizes": lambda T, w: w.a - T.zeros(4),
    "mul sizes": lambda T, w: w.v * T.zeros(2),
    "in-place grows": lambda T, w: w.v.add_(w.a),
    "in-place sizes": lambda T, w: w.v.mul_(T.zeros(2)),
    "matmul": lambda T, w: w.a @ w.a,
    "matmul vector": lambda T, w: w.a @ T.zeros(2),
    "matmul 0-d": lambda T, w: w.a @ T.tensor(1.0),
    "mm of vectors": lambda T, w: T.mm(w.v, w.v),
    "mm sizes": lambda T, w: T.mm(w.a, w.a),
    "mv sizes": lambda T, w: T.mv(w.a, T.zeros(2)),
    "dot sizes": lambda T, w: T.dot(w.v, T.zeros(2)),
    "dot matrices": lambda T, w: T.dot(w.a, w.a),
    "bmm rank": lambda T, w: T.bmm(w.a, w.a),
    "bmm batch": lambda T, w: T.bmm(T.zeros(2, 3, 4), T.zeros(3, 4, 5)),
    "addmm": lambda T, w: T.addmm(w.v, w.a, w.a),
    "outer of matrix": lambda T, w: T.outer(w.a, w.v),
    "view": lambda T, w: w.a.view(4),
    "view two unknown": lambda T, w: w.a.view(-1, -1),
    "view not contiguous": lambda T, w: w.a.t().view(6),
    "reshape": lambda T, w: w.a.reshape(5, 2),
    "expand": lambda T, w: w.v.expand(2, 4),
    "expand fewer": lambda T, w: w.a.expand(3),
    "cat sizes": lambda T, w: T.cat([w.a, w.b]),
    "cat nothing": lambda T, w: T.cat([]),
    "cat ranks": lambda T, w: T.cat([w.a, w.v]),
    "stack sizes": lambda T, w: T.stack([w.a, w.b]),
    "stack nothing": lambda T, w: T.stack([]),
    "where sizes": lambda T, w: T.where(w.a > 1, w.a, w.b),
    "copy sizes": lambda T, w: w.v.copy_(w.b),
    "permute count": lambda T, w: w.a.permute(0),
    "permute twice": lambda T, w: w.a.permute(0, 0),
    "t of 3-d": lambda T, w: T.zeros(2, 3, 4).t(),
    "unflatten": lambda T, w: w.v.unflatten(0, (2, 2)),
    "squeeze dim": lambda T, w: w.a.squeeze(5),
    "unsqueeze dim": lambda T, w: w.a.unsqueeze(4),
    "transpose dim": lambda T, w: w.a.transpose(0, 2),
    "flatten order": lambda T, w: T.zeros(2, 3, 4).flatten(2, 1),
    "narrow": lambda T, w: w.a.narrow(0, 1, 5),
    "select": lambda T, w: w.a.select(0, 2),
    "split of 0-d": lambda T, w: T.tensor(1.0).split(1),
    "split sizes": lambda T, w: w.a.split([1, 2]),
    "chunk zero": lambda T, w: w.a.chunk(0),
    "unfold size": lambda T, w: w.v.unfold(0, 5, 1),
    "unfold step": lambda T, w: w.v.unfold(0, 2, 0),
    "diagonal dims": lambda T, w: w.a.diagonal(0, 0, 0),
    "roll without dims": lambda T, w: T.roll(w.a, (1, 2)),
    "flip twice": lambda T, w: w.a.flip(0, 0),
    "repeat fewer": lambda T, w: w.a.repeat(2),
    "movedim": lambda T, w: w.a.movedim(0, 3),
    "diag of 3-d": lambda T, w: T.diag(T.zeros(2, 2, 2)),
    "tril of vector": lambda T, w: T.tril(w.v),
    "trace of vector": lambda T, w: T.trace(w.v),
    "einsum sizes": lambda T, w: T.einsum("ij,ij->i", w.a, w.b),
    "einsum count": lambda T, w: T.einsum("ij,jk->ik", w.a),
    # --- dimensions and reductions
    "sum dim": lambda T, w: w.a.sum(2),
    "sum dim twice": lambda T, w: w.a.sum((0, 0)),
    "mean of integers": lambda T, w: w.i.mean(),
    "std of integers": lambda T, w: w.i.std(),
    "max of nothing": lambda T, w: T.zeros(0).max(),
    "argmax of nothing": lambda T, w: T.zeros(0).argmax(),
    "argmax dim": lambda T, w: w.a.argmax(3),
    "min dim": lambda T, w: w.a.min(5),
    "prod dim": lambda T, w: w.a.prod(2),
    "cumsum dim": lambda T, w: w.a.cumsum(2),
    "softmax dim": lambda T, w: T.softmax(w.a, 2),
    "softmax of integers": lambda T, w: T.softmax(w.i, 0),
    "topk too many": lambda T, w: w.v.topk(4),
    "kthvalue": lambda T, w: w.v.kthvalue(4),
    "sort dim": lambda T, w: w.a.sort(3),
    "median dim": lambda T, w: w.a.median(4),
    "logsumexp dim": lambda T, w: w.a.logsumexp(2),
    "var dim": lambda T, w: w.a.var(3),
    "all dim": lambda T, w: w.m.all(2),
    "bincount negative": lambda T, w: T.bincount(T.tensor([-1])),
    "bincount floats": lambda T, w: T.bincount(w.v),
    "multinomial": lambda T, w: T.multinomial(T.tensor([0.5, 0.5]), 3),
    "multinomial negative": lambda T, w: T.multinomial(T.tensor([-0.5, 0.5]), 1),
    "bernoulli": lambda T, w: T.bernoulli(T.tensor([2.0])),
    "normal std": lambda T, w: T.normal(0.0, -1.0, (2,)),
    "randint empty": lambda T, w: T.randint(3, 3, (2,)),
    "randperm negative": lambda T, w: T.randperm(-1),
    "uniform order": lambda T, w: w.v.uniform_(2, 1),
    # --- indexing
    "index out of range": lambda T, w: w.a[2],
    "index too many": lambda T, w: w.v[0, 0],
    "index with float": lambda T, w: w.v[1.5],
    "index with string": lambda T, w: w.v["x"],
    "index tensor range": lambda T, w: w.v[T.tensor([5])],
    "index tensor float": lambda T, w: w.v[T.tensor([0.5])],
    "index mask size": lambda T, w: w.v[w.m],
    "index of 0-d": lambda T, w: T.tensor(1.0)[0],
    "negative step": lambda T, w: w.v[::-1],
    "index tensors sizes": lambda T, w: w.a[T.tensor([0, 1]), T.tensor([0, 1, 2])],
    "assign sizes": lambda T, w: w.v.__setitem__(slice(0, 2), T.zeros(3)),
    "assign out of range": lambda T, w: w.v.__setitem__(5, 1.0),
    "assign mask": lambda T, w: w.v.__setitem__(w.v > 1, T.zeros(5)),
    "gather index type": lambda T, w: w.v.gather(0, T.tensor([0.0])),
    "gather range": lambda T, w: w.v.gather(0, T.tensor([7])),
    "gather rank": lambda T, w: w.a.gather(0, w.i),
    "scatter range": lambda T, w: w.v.scatter(0, T.tensor([7]), 1.0),
    "scatter type": lambda T, w: w.v.scatter(0, w.i, w.d),
    "index_select rank": lambda T, w: w.v.index_select(0, T.zeros(2, 2, dtype=T.int64)),
    "index_select range": lambda T, w: w.v.index_select(0, T.tensor([3])),
    "index_add sizes": lambda T, w: w.v.index_add(0, w.i, T.zeros(2)),
    "masked_fill type": lambda T, w: w.v.masked_fill(w.i, 0.0),
    "masked_fill value": lambda T, w: w.i.masked_fill_(w.i > 1, T.zeros(2)),
    "masked_select type": lambda T, w: w.v.masked_select(w.i),
    "take range": lambda T, w: w.v.take(T.tensor([9])),
    "one_hot range": lambda T, w: T.nn.functional.one_hot(w.i, 2),
    "one_hot floats": lambda T, w: T.nn.functional.one_hot(w.v),
    # --- types and values
    "tensor of words": lambda T, w: T.tensor(["a"]),
    "tensor of ragged lists": lambda T, w: T.tensor([[1, 2], [3]]),
    "tensor of None": lambda T, w: T.tensor(None),
    "from_numpy of list": lambda T, w: T.from_numpy([1, 2]),
    "as dtype": lambda T, w: T.zeros(2, dtype="float32"),
    "negative size": lambda T, w: T.zeros(-1),
    "ones of float size": lambda T, w: T.ones(2.5),
    "arange step zero": lambda T, w: T.arange(0, 1, 0),
    "arange wrong way": lambda T, w: T.arange(1, 0, 1),
    "linspace steps": lambda T, w: T.linspace(0, 1, -1),
    "full shape": lambda T, w: T.full(2, 1.0),
    "eye negative": lambda T, w: T.eye(-1),
    "item of many": lambda T, w: w.v.item(),
    "bool of many": lambda T, w: bool(w.v),
    "bool of none": lambda T, w: bool(T.zeros(0)),
    "float of many": lambda T, w: float(w.v),
    "int of many": lambda T, w: int(w.v),
    "len of 0-d": lambda T, w: len(T.tensor(1.0)),
    "iterate 0-d": lambda T, w: list(T.tensor(1.0)),
    "add string": lambda T, w: w.v + "x",
    "add None": lambda T, w: w.v + None,
    "add list": lambda T, w: w.v + [1, 2, 3],  # noqa: RUF005  what the wrong call is about
    "exp of string": lambda T, w: T.exp("x"),
    "exp of list": lambda T, w: T.exp([1.0]),
    "matmul types": lambda T, w: w.a @ w.d,
    "in-place to int": lambda T, w: w.i.add_(1.5),
    "in-place divide int": lambda T, w: w.i.div_(2),
    "bool minus bool": lambda T, w: w.m - w.m,
    "negate bool": lambda T, w: -w.m,
    "invert float": lambda T, w: ~w.v,
    "and of floats": lambda T, w: w.v & w.v,
    "shift of floats": lambda T, w: w.v << 1,
    "out type": lambda T, w: T.add(w.v, 1.5, out=w.i),
    "out with grad": lambda T, w: T.add(w.w, 1.0, out=w.v),
    "clamp nothing": lambda T, w: w.v.clamp(),
    "int power negative": lambda T, w: w.i.pow(-1),
    "rounding mode": lambda T, w: T.div(w.v, 2, rounding_mode="up"),
    "dtype of to": lambda T, w: w.v.to("float31"),
    "numpy with grad": lambda T, w: w.w.numpy(),
    "numpy of result": lambda T, w: w.y.numpy(),
    "move to cuda": lambda T, w: w.v.cuda(),
    "deepcopy of result": lambda T, w: __import__("copy").deepcopy(w.y),
    "norm order": lambda T, w: T.linalg.norm(w.v, "bad"),
    "inverse of rectangle": lambda T, w: T.linalg.inv(w.a),
    "inverse of singular": lambda T, w: T.linalg.inv(T.zeros(2, 2)),
    "cholesky of indefinite": lambda T, w: T.linalg.cholesky(T.tensor([[1.0, 2.0], [2.0, 1.0]])),
    "solve sizes": lambda T, w: T.linalg.solve(w.b, w.v),
    "det of rectangle": lambda T, w: T.linalg.det(w.a),
    # --- gradients
    "backward of vector": lambda T, w: w.y.backward(),
    "backward without history": lambda T, w: w.v.sum().backward(),
    "backward gradient size": lambda T, w: w.y.backward(T.zeros(2)),
    "backward twice": lambda T, w: [(s := (w.w * w.w).sum()), T.autograd.grad(s, w.w), T.autograd.grad(s, w.w)],
    "requires_grad of int": lambda T, w: w.i.requires_grad_(),
    "requires_grad at creation": lambda T, w: T.tensor([1, 2], requires_grad=True),
    "requires_grad off for result": lambda T, w: w.y.requires_grad_(False),
    "leaf in place": lambda T, w: w.w.add_(1.0),
    "leaf zero": lambda T, w: w.w.zero_(),
    "leaf view in place": lambda T, w: w.w[:1].mul_(2.0),
    "leaf assignment": lambda T, w: w.w.__setitem__(0, 1.0),
    "grad still None": lambda T, w: w.w.grad.zero_(),
    "grad of other size": lambda T, w: setattr(w.w, "grad", T.zeros(2)),
    "grad of other type": lambda T, w: setattr(w.w, "grad", w.d),
    "grad of number": lambda T, w: setattr(w.w, "grad", 1.0),
    "hook without grad": lambda T, w: w.v.register_hook(print),
    "retain_grad without grad": lambda T, w: w.v.retain_grad(),
    "post hook on result": lambda T, w: w.y.register_post_accumulate_grad_hook(print),
    "grad unused": lambda T, w: T.autograd.grad(w.y.sum(), T.ones(1, requires_grad=True)),
    "grad of plain": lambda T, w: T.autograd.grad(w.y.sum(), w.v),
    "grad of vector": lambda T, w: T.autograd.grad(w.y, w.w),
    "detach_ of view": lambda T, w: w.y[:1].detach_(),
    "data of number": lambda T, w: setattr(w.w, "data", 1.0),
    # --- nn
    "linear": lambda T, w: T.nn.Linear(4, 2)(w.v),
    "linear type": lambda T, w: T.nn.Linear(3, 2)(w.d),
    "conv channels": lambda T, w: T.nn.Conv2d(1, 2, 3)(w.image),
    "conv rank": lambda T, w: T.nn.Conv2d(3, 2, 3)(w.v),
    "conv kernel larger": lambda T, w: T.nn.Conv2d(3, 2, 9)(w.image),
    "conv groups": lambda T, w: T.nn.Conv2d(3, 2, 3, groups=2),
    "pool larger": lambda T, w: T.nn.MaxPool2d(9)(w.image),
    "pool padding": lambda T, w: T.nn.functional.max_pool2d(w.image, 2, padding=2),
    "batch norm rank": lambda T, w: T.nn.BatchNorm2d(3)(w.a),
    "batch norm channels": lambda T, w: T.nn.BatchNorm1d(4)(w.a),
    "batch norm one value": lambda T, w: T.nn.BatchNorm1d(3)(T.zeros(1, 3)),
    "layer norm": lambda T, w: T.nn.LayerNorm(4)(w.a),
    "group norm": lambda T, w: T.nn.GroupNorm(2, 3),
    "embedding range": lambda T, w: T.nn.Embedding(2, 3)(w.i),
    "embedding floats": lambda T, w: T.nn.Embedding(5, 3)(w.v),
    "cross entropy target": lambda T, w: T.nn.functional.cross_entropy(w.a, T.tensor([0, 3])),
    "cross entropy sizes": lambda T, w: T.nn.functional.cross_entropy(w.a, w.i),
    "nll float target": lambda T, w: T.nn.functional.nll_loss(w.a, T.zeros(2)),
    "bce range": lambda T, w: T.nn.functional.binary_cross_entropy(w.v, T.zeros(3)),
    "bce sizes": lambda T, w: T.nn.functional.binary_cross_entropy(T.zeros(2), T.zeros(3)),
    "bce with logits sizes": lambda T, w: T.nn.functional.binary_cross_entropy_with_logits(w.v, T.zeros(2)),
    "loss reduction": lambda T, w: T.nn.functional.mse_loss(w.v, w.v, reduction="average"),
    "dropout probability": lambda T, w: T.nn.Dropout(1.5),
    "lstm size": lambda T, w: T.nn.LSTM(4, 2)(T.zeros(1, 1, 3)),
    "attention heads": lambda T, w: T.nn.MultiheadAttention(5, 2),
    "state_dict missing": lambda T, w: T.nn.Linear(1, 1).load_state_dict({}),
    "state_dict size": lambda T, w: T.nn.Linear(1, 1).load_state_dict(T.nn.Linear(2, 1).state_dict()),
    "module attribute": lambda T, w: T.nn.Linear(1, 1).nothing,
    "module in list": lambda T, w: T.nn.ModuleList([1]),
    "sequential of function": lambda T, w: T.nn.Sequential(T.relu),
    "parameter before init": lambda T, w: _early_parameter(T, w),
    "forward missing": lambda T, w: T.nn.Module()(1),
    "interpolate": lambda T, w: T.nn.functional.interpolate(w.image),
    "pixel shuffle": lambda T, w: T.nn.functional.pixel_shuffle(w.image, 2),
    "pad": lambda T, w: T.nn.functional.pad(w.v, (1, 1, 1, 1)),
    # --- optim and data
    "optimizer of nothing": lambda T, w: T.optim.SGD([], lr=0.1),
    "optimizer of tensor": lambda T, w: T.optim.SGD(w.w, lr=0.1),
    "optimizer of result": lambda T, w: T.optim.SGD([w.y], lr=0.1),
    "optimizer of numbers": lambda T, w: T.optim.SGD([1.0], lr=0.1),
    "negative rate": lambda T, w: T.optim.Adam([w.w], lr=-1.0),
    "wrong betas": lambda T, w: T.optim.Adam([w.w], betas=(1.0, 0.9)),
    "nesterov": lambda T, w: T.optim.SGD([w.w], lr=0.1, nesterov=True),
    "same parameter in two groups": lambda T, w: T.optim.SGD([{"params": [w.w]}, {"params": [w.w]}], lr=0.1),
    "optimizer state": lambda T, w: T.optim.SGD([w.w], lr=0.1).load_state_dict({"param_groups": [], "state": {}}),
    "lbfgs without closure": lambda T, w: T.optim.LBFGS([w.w]).step(),
    "dataset sizes": lambda T, w: T.utils.data.TensorDataset(w.v, w.m),
    "loader batch size": lambda T, w: T.utils.data.DataLoader(w.v, batch_size=0),
    "loader shuffle and sampler": lambda T, w: T.utils.data.DataLoader(w.v, shuffle=True, sampler=[0]),
    "random_split": lambda T, w: T.utils.data.random_split(w.v, [1, 1]),
    "clip value type": lambda T, w: T.nn.utils.clip_grad_norm_([w.y], "x"),
    "load of missing file": lambda T, w: T.load("no such file.pt"),
    "manual_seed": lambda T, w: T.manual_seed("x"),
}  # fmt: skip
WORDS_IN_COMMON = 6  # a longer run of PyTorch's words in ours would be a quotation


@pytest.mark.parametrize("name", TABLE)
def test_a_wrong_call_raises_pytorchs_type_in_our_words_and_changes_nothing(name: str) -> None:
    wrong = TABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as expected:  # noqa: PT011
            wrong(pytorch, World(pytorch))
        world = World(zerograd)
        before = world.state()
        with pytest.raises(Exception) as found:  # noqa: PT011
            wrong(zerograd, world)
    theirs, ours = expected.value, found.value
    assert _kind(ours) == _kind(theirs), f"expected {theirs!r}\ngot {ours!r}"
    assert str(ours), "an error says what is wrong"
    if not _pythons_own(ours):
        assert _common_run(str(ours), str(theirs)) <= WORDS_IN_COMMON, "part of the message is PyTorch's, word for word"
    assert world.state() == before, "a failed call changes nothing"


def _kind(error: BaseException) -> tuple[str, type]:
    """The name of the type, and the builtin type that it stands on (LinAlgError is each library's own RuntimeError)."""
    builtin = next(one for one in type(error).__mro__ if one.__module__ == "builtins")
    return type(error).__name__.strip("_"), builtin


def _common_run(a: str, b: str) -> int:
    """The length of the longest run of words that both texts contain."""
    words = re.findall(r"[a-zA-Z_]+", a.lower()), re.findall(r"[a-zA-Z_]+", b.lower())
    longest = 0
    for i in range(len(words[0])):
        for k in range(len(words[1])):
            run = 0
            while words[0][i + run : i + run + 1] == words[1][k + run : k + run + 1] != []:
                run += 1
            longest = max(longest, run)
    return longest


def _pythons_own(error: BaseException) -> bool:
    """Raised by the interpreter itself, e.g. an attribute of None or an argument that is missing."""
    line = traceback.extract_tb(error.__traceback__)[-1].line or ""
    return isinstance(error, AttributeError) or not line.startswith("raise ")


def test_there_are_at_least_150_wrong_calls() -> None:
    assert len(TABLE) >= 150
