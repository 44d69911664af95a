"""The mutable Tensor that users hold, over immutable values."""
