"""Products of matrices: kernels tiled by registers, and the plan that chooses among them."""
