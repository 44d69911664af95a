"""Recurrent layers as loops: one op for all steps of one layer in one direction."""
