"""Products of matrices: kernels tiled by registers, and the plan that chooses among them.

plan.plan(a, b, c, new_buffer, ...)     the instructions of C = A @ B, for operands described by matrix.Matrix
tile.multiply                           the inner loop, for whoever brings rows of A and a panel of B
packing.pack                            a panel out of any strides
finish.Writer                           a tile's sums into C, as they are or ended by an epilogue
"""
