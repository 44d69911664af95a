"""Settings of the tests."""

from __future__ import annotations

import os

from hypothesis import settings

from zerograd.settings import ENGINES
from zerograd.settings import settings as zerograd_settings

# Most tests ask what a program means, and the reference defines it. `make test` runs a part of them again with
# ZEROGRAD_ENGINE=native; what tests/engines says of engines does not depend on this.
zerograd_settings.engine = os.environ.get("ZEROGRAD_ENGINE", "reference")
assert zerograd_settings.engine in ENGINES

# Where a failure stops others, property tests run the same examples every time; at the desk they look for new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
