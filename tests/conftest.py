"""Settings of the tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Where a failure stops others, property tests run the same examples every time; at the desk they look for new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
