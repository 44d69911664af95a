"""Whole steps: what ``torch.compile`` makes of a function that trains.

A compiled function runs as Python a few times, watched. When two runs have done the same, what they did becomes a
program, and from then on a call binds the program's inputs and launches it, without running the Python body.

The laws:

1. *A replay leaves the world as the body would have left it.* It builds the very trace that recording would have
   built (``ir/trace.py``): the same nodes, bound to the present data; values, versions, ``.grad``, histories and
   results then follow from the ordinary launch, and nothing here knows how a program is run.
2. *Everything that enters a trace has an origin* (``origins.py``): what a storage holds now, an argument, a random
   draw, a number of an optimizer's schedule, a constant. Constants are what two runs have found equal; a number that
   differs from run to run and comes from nowhere is an error of the capture, never a constant.
3. *Everything that leaves a trace has a destination* (``results.py``, ``gradients.py``): a storage that existed
   before, ``.grad`` of a leaf, the result of the call. A tensor that stays alive anywhere else is not captured.
4. *A body that reads a value is not captured*, since what it does then may depend on it.
5. *In doubt the body runs* (``surroundings.py``): where anything has changed that a body may look at (a module's
   attributes, hooks, ``requires_grad``, the variables that the function uses), the next call runs the body, watched,
   and goes on with the program that does what it did.
6. *What is not captured runs as it is*, and says why, once.
7. *A call in the middle of a step is recorded into that step*: between ``backward()`` and ``step()``, or with results
   that still have a history, since one program for the whole is faster than two.
"""

from zerograd.program.calls import compiled as compiled

__all__ = ["compiled"]
