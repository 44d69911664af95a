"""A trace: what has been recorded since the last launch, and the data it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Protocol

from zerograd.ir.graph import Array, Node
from zerograd.settings import settings

Number = bool | int | float | complex
_serials = count(1)


class Point:
    """A node in a trace: a value with a history."""

    __slots__ = ("node", "trace")

    def __init__(self, trace: Trace, node: Node) -> None:
        self.trace = trace
        self.node = node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self.trace is other.trace and self.node is other.node

    def __hash__(self) -> int:
        return hash((id(self.trace), id(self.node)))


class Source(Protocol):
    """What stands behind a variable: a leaf tensor, a value of an older trace, a custom function.

    Attributes:
        ends: gradients go no further; it is a leaf tensor.
    """

    ends: bool

    def parents(self) -> tuple[Point, ...]:
        """Where the gradient goes on to; empty at a leaf tensor."""
        ...


class Values(Protocol):
    """Values that are computed together: their nodes, and their arrays once computed."""

    nodes: tuple[Node, ...]
    serial: int
    buffers: Any  # list[Array] | None

    def dissolve(self) -> None:
        """Make each a pending value of its own."""
        ...


class Result(Protocol):
    """A new tensor: nothing but a node of a trace, until it is computed or somebody asks for its storage."""

    _at: Node
    _serial: int

    def _anchor(self) -> None:
        """Give it a storage, which is a pending value in its place."""
        ...

    def _computed(self, array: Array, history: Point | None) -> None:
        """Give it a storage that holds the array."""
        ...


class Watch(Protocol):
    """Who wants to know where the data of a trace comes from: the capture of a whole step (``program/``).

    While somebody watches, a trace is launched only if a value is read.
    """

    def enters(self, holder: Any, slot: int, views: tuple[Any, ...] = ()) -> None:
        """What a value, a storage (seen through views) or a pack holds is about to be bound, from ``slot`` on."""
        ...

    def draws(self, array: Array, draw: Callable[[], Array]) -> None:
        """Random numbers have been drawn; ``draw`` draws the next ones."""
        ...

    def clears(self, tensors: Iterable[Any]) -> None:
        """Gradients of these tensors become ``None``."""
        ...

    def plans(self, group: dict[str, Any]) -> None:
        """An optimizer is about to compute the numbers of its next step from the options of a group."""
        ...

    def steps(self, step: Any, first: int, numbers: Sequence[Any]) -> None:
        """An optimizer has taken that step; the numbers are in slots from ``first`` on, in their order."""
        ...

    def acts(self, action: Callable[[], Any]) -> Any:
        """Does something, in Python alone, that a replay does again."""
        ...

    def reads(self) -> None:
        """A value is about to be read in Python."""
        ...


class Trace:
    """What has been recorded since the last launch, and the data it is about.

    Attributes:
        leaves: the arrays and numbers bound to leaf slots; emptied by the launch.
        pending: the values that the launch has to compute if anybody else still holds them.
        results: the new tensors, to be computed likewise.
        arrivals: the groups of gradients among them that are no tensors yet (``tensor/leaf.py``).
        packs: the groups of values that it has to compute too (``tensor/pack.py``).
        shown: the tensors that say themselves what they are in this trace, by the id of the pack of their storages.
        sources: what stands behind each variable.
        passages: those of them through which gradients go on, into older traces or custom functions.
        values: after the launch, the arrays that backward passes through this trace still need.
        roots: after the launch, the tracked nodes that were alive then.
        freed: per finished backward pass, the nodes whose kept values it has given up.
        hooks: functions to call with the finished gradient of a node.
        asides: tracked nodes whose calls gave no new tensor (views, nodes of backward passes), each with the number of
            new tensors before it.
        order: after the launch, the nodes of all new tensors, in the order of the calls, if gradients can flow.
        ranks, ranked: see ``ranking``; how many of ``order`` and ``asides`` it has seen.
        limit: launch when more values than this are pending; 0 after an input was bound that may change.
        finished_step: an optimizer has stepped, so the next backward pass belongs to another step.
        watch: who wants to know where the data comes from, or ``None``.
        alone: no recorder goes on with it: it is computed when one of its values is asked for.
        plan: how it was computed, or is likely to be.
        certain: all that it holds is needed, and ``plan`` computes just that.
    """

    __slots__ = (
        "__weakref__", "alone", "arrivals", "asides", "certain", "finished_step", "freed", "hooks", "leaves", "limit",
        "nbytes", "order", "packs", "passages", "pending", "plan", "ranked", "ranks", "results", "roots", "serial",
        "shown", "sources", "values", "watch",
    )  # fmt: skip

    def __init__(self) -> None:
        self.serial = next(_serials)
        self.leaves: list[Array | Number] = []
        self.nbytes = 0
        self.pending: list[Any] = []  # of Value
        self.results: list[Any] = []  # of Result
        self.arrivals: list[Any] = []
        self.packs: list[Values] = []
        self.shown: dict[int, list[Any]] = {}
        self.sources: dict[Node, Source] = {}
        self.passages: dict[Node, Source] = {}
        self.values: dict[Node, Array] = {}
        self.roots: tuple[Node, ...] = ()
        self.freed: tuple[frozenset[Node], ...] = ()
        self.hooks: dict[Node, list[Any]] = {}
        self.asides: list[tuple[int, Node]] = []
        self.order: list[Node] = []
        self.ranks: dict[Node, int] = {}
        self.ranked = (0, 0)
        self.finished_step = False
        self.limit = settings.max_pending_calls
        self.watch: Watch | None = None
        self.alone = False
        self.plan: Any = None
        self.certain = False

    def ranking(self) -> dict[Node, int]:
        """When this trace recorded its tracked nodes: a later call has a higher rank, and all its nodes have the same.

        ``Node.number`` does not tell: a node that is met again was perhaps made in another order.
        """
        made, aside = self.ranked
        order = self.order or [one._at for one in self.results]
        while made < len(order) or aside < len(self.asides):
            if aside < len(self.asides) and self.asides[aside][0] <= made:
                node = self.asides[aside][1]
                aside += 1
            else:
                node = order[made]
                made += 1
            self._rank(node, made + aside)
        self.ranked = made, aside
        return self.ranks

    def _rank(self, node: Node, rank: int) -> None:
        """Give the rank to ``node``, and to those of its ancestors that the call has recorded too."""
        stack = [node]
        while stack:
            one = stack.pop()
            if one.tracked and one not in self.ranks:
                self.ranks[one] = rank
                stack += one.inputs

    def keep_order(self) -> None:
        """Before a launch: remember in which order the new tensors were made, if gradients may flow through them."""
        if self.sources and not self.order:
            self.order = [one._at for one in self.results]

    def forget_anchored(self) -> None:
        """Hold no new tensor that has got a storage since: if nobody else holds it, that is not needed either."""
        self.results = [one for one in self.results if one._serial]

    def release(self) -> None:
        """Forget what was needed only until everything is computed."""
        self.leaves = []
        self.pending = []
        self.results = []
        self.arrivals = []
        self.packs = []
        self.shown = {}
