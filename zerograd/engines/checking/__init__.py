"""Proof by trial that an engine computes what the reference computes: ``python -m zerograd.engines.checking``.

trial        a graph with data for its leaves; its parts
tolerances   what each op may be off by itself, in one table
bounds       how far off that lets every value of a graph be: errors followed through the graph, element by element
             (``local``: an op by itself, ``propagation``: from operands, ``choices``: what jumps, ``signs``)
comparing    an engine's results against the reference's under these bounds
drawing      random arrays: shapes, types, values, layouts in memory
productions  random graphs of ops; ``patterns``: what neural networks are made of; ``programs``: both, with gradients
cases        every op with every type, one at a time
trying       one trial of one engine; ``running``: many, in processes of their own
shrinking    the smallest part of a graph in which an engine still goes wrong
variants     engines that round differently, which must pass, and ``faults``: engines that must not
capture      the graphs of real programs
"""
