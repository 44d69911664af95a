"""The usual backward pass, met again: from one number of the current trace to leaf tensors, with nothing in between."""

from __future__ import annotations

from typing import Any

from zerograd.ir.graph import Node
from zerograd.ir.record import recorder
from zerograd.tape.differentiate import Gradients, keepers

Known = tuple[Gradients, tuple[frozenset[Node], ...]]
"""The gradients, and what the pass gives up of what the graph keeps."""


def run_again(root: Node) -> bool:
    """Carry gradients from ``root`` to leaf tensors that have none yet.

    Returns:
        False, and nothing is done, if this is the first such pass, or another kind of pass (see ``backward.run``).
    """
    own = recorder.own
    trace = own.trace
    if trace.passages or trace.hooks or trace.freed or own.check_nan:
        return False
    known = own.plans.get((run_again, root)) or _known(own.plans, root)
    if known is None:
        return False
    found, freed = known
    leaves: dict[Any, Node] | None = found.for_leaves(list(map(trace.sources.__getitem__, found.variables)))
    if not leaves or not next(iter(leaves)).take(leaves):
        return False
    trace.freed = freed
    return True


def _known(plans: dict[Any, Any], root: Node) -> Known | None:
    """A pass that has been made once, if it is of this kind."""
    type = root.type
    if type.count != 1 or not type.dtype.is_floating_point:
        return None
    found = plans.get(("differentiate", (root,), (plans.get(type),), ()))  # ``ones`` keeps its node there
    if found is None:
        return None
    gone = keepers((root,))
    known = plans[run_again, root] = found, ((gone,) if gone else ())
    return known
