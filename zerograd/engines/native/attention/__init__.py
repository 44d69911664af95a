"""Attention without its weights in memory: blocks of queries against all keys, in the scratch memory of a thread."""
