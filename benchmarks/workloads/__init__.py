"""Training programs written once against PyTorch's API, which ``performance.py`` measures.

Each module defines ``build(torch, rng)``: ``torch`` is PyTorch or zerograd, ``rng`` a ``numpy.random.Generator`` that
draws all data. It gives an object with ``model``, ``optimizer`` and ``step()``, one whole training step, which
returns the loss.
"""
