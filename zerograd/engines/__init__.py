"""What runs a graph. Each engine is a module with ``compile(outputs) -> Program``; see ``protocol``."""
