"""What supports training programs around the model: data loading, hooks, checkpointing.

Source: torch.utils.
"""
