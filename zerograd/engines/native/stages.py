"""Large chains done in stages, so that less of what they make has to be there at once.

Forward and backward of a batch are one chain, slab by slab; behind it stand the gradients of the weights, which need
something from every slab: so all activations would wait for them. But such a gradient is a sum over the batch, and its
instructions each need one part of it only (``Access.part``). Then the chain stops after every part:

    phase p      slabs of the first half        everything else of the phase
    phase p + 1  instructions of the first half
    phase p + 2  slabs of the second half
    phase p + 3  instructions of the second half, everything else of what was phase p + 1

and the second half of a buffer lies where the first one was. The instructions of a stage find it through a pointer of
their own, an *alias*, so far before the memory that the part of the stage lies inside. Into how many parts such a sum
is divided is a matter of its shape, and whether there are stages changes no bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd
from typing import Any

from zerograd.engines.native.buffers import TEMPORARY, Buffer
from zerograd.engines.native.kernel import Access, Instruction
from zerograd.engines.native.pages import LINE
from zerograd.engines.native.schedule import Chain, Phases
from zerograd.settings import settings

WORTH = 4 << 20  # bytes that must be saved


class Stages:
    """A chain in stages.

    Attributes:
        count: of stages.
        shared: the buffers of which only one part is there at a time.
        moments: for each instruction of the next phase: in which stage it is done.
        aliases: (buffer, stage) and the buffer that is an alias of it; the first stage needs none.
    """

    def __init__(self, count: int, shared: Iterable[int]) -> None:
        self.count, self.shared = count, frozenset(shared)
        self.moments: dict[Instruction, int] = {}
        self.aliases: dict[tuple[int, int], Buffer] = {}

    def alias(self, buffer: int, stage: int) -> int:
        """The buffer through which an instruction of this stage reaches a buffer."""
        found = self.aliases.get((buffer, stage))
        return buffer if found is None else found.index

    def make_aliases(self, buffers: list[Buffer]) -> None:
        """Number the aliases."""
        for buffer in sorted(self.shared):
            for stage in range(1, self.count):
                made = self.aliases[buffer, stage] = Buffer(len(buffers), 0, TEMPORARY)
                buffers.append(made)

    def place_aliases(self, buffers: Sequence[Buffer]) -> None:
        """Give them their offsets, once the buffers have theirs."""
        for (buffer, stage), made in self.aliases.items():
            one = buffers[buffer]
            made.offset = one.offset - stage * (one.nbytes // self.count)


Use = tuple[Any, Instruction, Access, bool]
"""Who touches a buffer: the phases, or a call of NumPy; the instruction, its access, and whether it writes."""


def divide(parts: Sequence[Any], buffers: Sequence[Buffer]) -> list[Stages]:
    """Put the chains into stages that are worth it; ``parts``: the segments and NumPy calls of a program."""
    found: list[Stages] = []
    uses, foreign = _uses(parts)
    for part in parts:
        if not hasattr(part, "phases") or part.phases.alone:
            continue
        last = -1
        for chain in sorted(part.phases.chains, key=lambda one: (one.phase, -one.cost)):
            if chain.phase <= last or chain.parts < 2:
                continue  # two chains in stages would stop each other
            made = _stages(part.phases, chain, uses, foreign, buffers)
            if made is not None:
                _put(part.phases, chain, made)
                found.append(made)
                last = chain.phase + 2 * made.count - 1
    return found


def _uses(parts: Sequence[Any]) -> tuple[dict[int, list[Use]], set[int]]:
    """Who touches a buffer, and which buffers calls of NumPy read."""
    found: dict[int, list[Use]] = {}
    foreign: set[int] = set()
    for part in parts:
        if not hasattr(part, "phases"):
            foreign.update(window.buffer for window in part.inputs)
            continue
        for one in part.instructions:
            for several, writes in ((one.reads, False), (one.writes, True)):
                for access in several:
                    found.setdefault(access.buffer, []).append((part.phases, one, access, writes))
    return found, foreign


def _stages(
    phases: Phases, chain: Chain, uses: dict[int, list[Use]], foreign: set[int], buffers: Sequence[Buffer]
) -> Stages | None:
    """The stages of a chain, if they save memory and nobody waits."""
    counts: dict[int, list[int]] = {}
    for index in {access.buffer for one in chain.instructions for access in one.writes} - foreign:
        count = _parts(phases, chain, uses[index], buffers[index])
        if count > 1:
            counts.setdefault(count, []).append(index)
    for count, shared in sorted(counts.items(), key=lambda item: -_saved(item[0], item[1], buffers)):
        if _saved(count, shared, buffers) >= WORTH and _balanced(chain.parts, count):
            made = Stages(count, shared)
            if _assign(phases, chain, made) and _saved(count, shared, buffers) >= WORTH + _waiting(made, buffers):
                return made
    return None


def _waiting(stages: Stages, buffers: Sequence[Buffer]) -> int:
    """Bytes of the sums that wait for the next stage, where one task could have had them to itself."""
    found: dict[int, set[int]] = {}
    for one, stage in stages.moments.items():
        for access in one.writes:
            found.setdefault(access.buffer, set()).add(stage)
    several = [buffers[index] for index, when in found.items() if len(when) > 1]
    return sum(one.nbytes for one in several if one.kind == TEMPORARY)


def _saved(count: int, shared: Sequence[int], buffers: Sequence[Buffer]) -> int:
    return sum(buffers[index].nbytes for index in shared) * (count - 1) // count


def _balanced(tasks: int, count: int) -> bool:
    """Whether all stages together take no longer than all tasks at once."""
    threads = settings.threads
    return tasks % count == 0 and count * -(-tasks // (count * threads)) <= -(-tasks // threads)


def _parts(phases: Phases, chain: Chain, uses: Sequence[Use], buffer: Buffer) -> int:
    """Into how many parts a buffer of the chain can be divided that the next phase needs one by one; 1: none."""
    counts: set[int] = set()
    slabs = buffer.nbytes // LINE if buffer.nbytes % LINE == 0 else 1
    for where, one, access, writes in uses:
        if where is not phases:
            return 1
        if phases.of[one] is chain:
            slabs = gcd(slabs, access.slabs)
        elif writes or access.part is None or phases.of[one].phase != chain.phase + 1:
            return 1
        else:
            counts.add(access.part[1])
    if buffer.kind != TEMPORARY or len(counts) != 1:
        return 1
    (count,) = counts
    return count if slabs % count == 0 else 1


def _assign(phases: Phases, chain: Chain, stages: Stages) -> bool:
    """Say in which stage each instruction of the next phase is done; whether that is possible."""
    slabs: dict[int, int] = {}  # of what the chain writes
    for access in [access for one in chain.instructions for access in one.writes]:
        slabs[access.buffer] = gcd(slabs.get(access.buffer, 0), access.slabs)

    def needed(access: Access) -> int:
        """The first stage in which all that is read has been written."""
        if access.buffer not in slabs:
            return 0
        part, count = access.part or (0, 0)
        return part if count == stages.count and slabs[access.buffer] % count == 0 else stages.count - 1

    for other in phases.chains:
        if other.phase != chain.phase + 1:
            continue
        wrote: dict[int, int] = {}  # in which stage a buffer was last written, or read
        read: dict[int, int] = {}
        for one in other.instructions:
            reads, writes = {access.buffer for access in one.reads}, {access.buffer for access in one.writes}
            before = [wrote.get(index, 0) for index in reads | writes] + [read.get(index, 0) for index in writes]
            stage = max([0, *before, *map(needed, one.reads)])
            if any(needed(access) != stage for access in one.reads if access.buffer in stages.shared):
                return False  # too late: the next part lies there
            stages.moments[one] = stage
            read.update(dict.fromkeys(reads, stage))
            wrote.update(dict.fromkeys(writes, stage))
    return True


def _put(phases: Phases, chain: Chain, stages: Stages) -> None:
    """Make room for the stages, and divide the chains of the next phase."""
    chains: list[Chain] = []
    for one in phases.chains:
        if one.phase == chain.phase + 1:
            chains += _divided(phases, one, stages)
            continue
        if one.phase > chain.phase:
            one.phase += 2 * (stages.count - 1)
        chains.append(one)
    chain.stages = stages
    phases.chains = sorted(chains, key=lambda one: one.phase)


def _divided(phases: Phases, chain: Chain, stages: Stages) -> list[Chain]:
    """A chain for each stage in which something of a chain is done."""
    made: dict[int, Chain] = {}
    for one in chain.instructions:
        stage = stages.moments[one]
        if stage in made:
            made[stage].instructions.append(one)
        else:
            made[stage] = Chain(one, chain.phase + 2 * stage)
            made[stage].slabs, made[stage].stage, made[stage].stages = chain.slabs, stage, stages
        phases.of[one] = made[stage]
    work = sum(one.cost for one in phases.chains if one.phase == chain.phase) / stages.count
    for one in made.values():
        one.parts = phases.parts(one, work)
    return list(made.values())


__all__ = ["Stages", "divide"]
