"""Graph -> graph: what is done to a recorded graph before an engine gets it."""
