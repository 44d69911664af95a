"""The primitives, each defined once with all of its rules, a file per kind."""
