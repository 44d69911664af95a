"""`python -m zerograd` is the command `zerograd`."""

from __future__ import annotations

import sys

from zerograd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
