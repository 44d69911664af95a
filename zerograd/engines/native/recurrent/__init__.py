"""Recurrent layers: all steps of a layer in one kernel, and how nodes become its instructions."""
