"""Which line of the user's program a node comes from: noted for profiles and debugging output, else not at all.

Nodes are met again, so a node belongs to the line that recorded its structure first. What passes make of a node takes
its origin over; a gradient has the line of the call that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from zerograd.settings import settings

if TYPE_CHECKING:
    from zerograd.ir.graph import Node


class Origin(NamedTuple):
    """Where a node comes from.

    Attributes:
        line: ``file:line`` of the user's call.
        backward: the node is part of the gradient of that call.
    """

    line: str
    backward: bool = False


class Origins:
    """The origins of nodes.

    Attributes:
        on: whether they are noted.
        of: by node.
        behind: the node that is being differentiated.
    """

    __slots__ = ("behind", "of", "on")

    def __init__(self) -> None:
        self.on = bool(settings.debug)
        self.of: dict[Node, Origin] = {}
        self.behind: Node | None = None

    def note(self, node: Node, line: Callable[[], str]) -> None:
        """A node has been recorded; ``line`` finds out where."""
        forward = None if self.behind is None else self.of.get(self.behind)
        self.of[node] = Origin(line()) if forward is None else Origin(forward.line, True)

    def pass_on(self, old: Node | None, new: Node) -> None:
        """``new`` computes what ``old``, or a part of it, did."""
        found = None if old is None else self.of.get(old)
        if found is not None:
            self.of.setdefault(new, found)


origins = Origins()
