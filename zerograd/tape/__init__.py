"""The engine of differentiation: from tracked nodes to gradient nodes. It builds nodes and runs nothing."""
