"""When and by whom instructions are done: phases, tasks, slabs.

Two instructions that follow each other need no barrier between them where each slab of the second needs only the same
slab of the first: a thread takes a slab through the whole *chain* of instructions, and what it has just written is
still in its cache. A chain begins where an instruction needs all of something; its slabs are the tasks of a phase.
A unit's result does not depend on who does it together with which others (``kernel``), so the division into tasks
changes no bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING

from zerograd.engines.native.kernel import Access, Instruction
from zerograd.engines.native.threads import ALONE
from zerograd.settings import settings

if TYPE_CHECKING:
    from zerograd.engines.native.stages import Stages

TASKS = 8  # into how many tasks for each thread a large chain is divided, if it can be
LEAST_SLABS = 4  # fewer than this leave threads without work, then a barrier is better
TASK_COST = 20_000  # nanoseconds of work below which a task is not divided
EVEN = 4  # tasks of this part of a thread's share of a phase, or less, leave the threads evenly occupied


class Chain:
    """Instructions that are done slab by slab.

    Attributes:
        instructions: in order.
        slabs: into how many slabs all of them can be divided.
        phase: when.
        parts: how many tasks it becomes; decided once all its instructions are known.
        stages, stage: ``stages``: the chain is done in stages from its phase on, in every second one; or, with a stage,
            it is what follows on that stage of another chain.
    """

    __slots__ = ("instructions", "parts", "phase", "slabs", "stage", "stages")

    def __init__(self, instruction: Instruction, phase: int) -> None:
        self.instructions = [instruction]
        self.slabs = instruction.units
        self.phase = phase
        self.parts = 1
        self.stages: Stages | None = None
        self.stage: int | None = None

    @property
    def times(self) -> range:
        """The phases it is done in."""
        count = self.stages.count if self.stages and self.stage is None else 1
        return range(self.phase, self.phase + 2 * count - 1, 2)

    @property
    def cost(self) -> float:
        return cost_of(self.instructions)


class Task:
    """What one thread does without waiting for others: (instruction, low, high) in order, for a part of a chain.

    Attributes:
        stage: of the chain or of the one that it follows on.
    """

    __slots__ = ("calls", "chain", "cost", "part", "stage")

    def __init__(self, chain: Chain, part: int) -> None:
        parts = chain.parts
        self.chain, self.part, self.cost = chain, part, chain.cost / parts
        self.stage = part * len(chain.times) // parts if chain.stage is None else chain.stage
        calls = [
            (one, part * one.units // parts, (part + 1) * one.units // parts) if parts > 1 else (one, 0, one.units)
            for one in chain.instructions
        ]
        self.calls = [call for call in calls if call[1] < call[2]]


class Phases:
    """The chains of each phase.

    Attributes:
        chains: all, in order of their phases.
        of: the chain of each instruction.
    """

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self.writer: dict[int, list[tuple[Instruction, Access]]] = {}
        self.of: dict[Instruction, Chain] = {}
        self.alone = cost_of(instructions) < ALONE
        if self.alone:
            self._in_order(instructions)
        else:
            for one in instructions:
                self._put(one)
        found = dict.fromkeys(self.of[one] for one in instructions)
        self.chains = sorted(found, key=lambda chain: chain.phase)
        work: dict[int, float] = {}
        for chain in self.chains:
            work[chain.phase] = work.get(chain.phase, 0) + chain.cost
        for chain in self.chains:
            chain.parts = self.parts(chain, work[chain.phase])
            if not self.alone:
                chain.instructions = early(chain.instructions)

    def _in_order(self, instructions: Sequence[Instruction]) -> None:
        """One chain, in one slab: everything is done in its order by one thread."""
        chain = Chain(instructions[0], 0)
        chain.instructions = list(instructions)
        chain.slabs = 1
        self.of = dict.fromkeys(instructions, chain)

    def _put(self, one: Instruction) -> None:
        links = self._links(one)
        phase = max((chain.phase for chain in links), default=0)
        same = [chain for chain in links if chain.phase == phase]
        slabs = one.units
        for chain in same:
            slabs = gcd(slabs, gcd(chain.slabs, links[chain]))
        if same and slabs < LEAST_SLABS and not self._indivisible(one, same):
            self.of[one] = Chain(one, phase + 1)
        else:
            self._append(one, same, slabs, phase)
        for access in one.writes:
            self.writer.setdefault(access.buffer, []).append((one, access))

    def _indivisible(self, one: Instruction, chains: list[Chain]) -> bool:
        """Whether nothing is lost by doing all of it in one task."""
        return all(chain.slabs <= 1 or chain.cost < TASK_COST for chain in chains) and one.cost * one.units < TASK_COST

    def _links(self, one: Instruction) -> dict[Chain, int]:
        """The chains it depends on, each with the number of slabs under which it needs only its own."""
        links: dict[Chain, int] = {}
        for access in (*one.reads, *one.writes):
            for writer, written in self.writer.get(access.buffer, ()):
                chain = self.of[writer]
                links[chain] = gcd(links.get(chain, 0), gcd(access.slabs, written.slabs))
        return links

    def _append(self, one: Instruction, chains: list[Chain], slabs: int, phase: int) -> None:
        if not chains:
            self.of[one] = Chain(one, phase)
            return
        chain = chains[0]
        for other in chains[1:]:
            for instruction in other.instructions:
                self.of[instruction] = chain
            chain.instructions.extend(other.instructions)
        chain.instructions.append(one)
        chain.slabs = slabs
        self.of[one] = chain

    def tasks(self) -> list[list[Task]]:
        """For each phase its tasks; the longest come first."""
        last = max((chain.times[-1] for chain in self.chains), default=-1)
        phases: list[list[Task]] = [[] for _ in range(last + 1)]
        for chain in self.chains:
            for part in range(chain.parts):
                phases[chain.times[part * len(chain.times) // chain.parts]].append(Task(chain, part))
        return [sorted((task for task in tasks if task.calls), key=lambda task: -task.cost) for tasks in phases]

    def parts(self, chain: Chain, work: float) -> int:
        """How many tasks a chain becomes, in a phase of so many nanoseconds of work.

        Several for each thread, so that one who comes late does less; but not so many that an instruction works on
        fewer units than it needs to be fast, unless threads would be idle: other chains may be enough for those.
        Slabs stay whole.
        """
        if self.alone:
            return 1
        threads = settings.threads
        wanted = min(TASKS * threads, max(1, int(chain.cost // TASK_COST)))
        grain = max(1, min(one.units // one.grain for one in chain.instructions))
        small = chain.cost / grain <= work / (EVEN * threads)
        wanted = min(wanted, grain if small else max(grain, threads))
        if len(chain.instructions) == 1:
            return min(wanted, chain.slabs)  # any division will do
        return max(n for n in range(1, max(wanted, 1) + 1) if chain.slabs % n == 0)


def early(instructions: Sequence[Instruction]) -> list[Instruction]:
    """The same instructions, those that no other one waits for directly behind what they wait for themselves.

    What they read is in the cache then, and if nobody else needs it, its memory is free.
    """
    touching = Counter(buffer for one in instructions for buffer in {x.buffer for x in (*one.reads, *one.writes)})
    wrote: dict[int, Instruction] = {}
    behind: dict[Instruction | None, list[Instruction]] = {None: []}
    order: list[Instruction] = []
    place: dict[Instruction, int] = {}
    for i, one in enumerate(instructions):
        sources = [wrote[x.buffer] for x in one.reads if x.buffer in wrote]
        if all(touching[x.buffer] == 1 for x in one.writes):
            behind.setdefault(max(sources, key=place.__getitem__, default=None), []).append(one)
        else:
            order.append(one)
        place[one] = i
        wrote.update((x.buffer, one) for x in one.writes)
    return behind[None] + [each for one in order for each in (one, *behind.get(one, ()))]


def cost_of(instructions: Sequence[Instruction]) -> float:
    """Nanoseconds of work on one thread, roughly."""
    return sum(one.cost * one.units for one in instructions)
