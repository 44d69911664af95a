"""What `import torch` finds in a process, a DataLoader's worker say, spawned under `zerograd run`.

Such a process is a fresh interpreter without the finder of zerograd.cli.importer, but it inherits sys.path,
and `zerograd run` puts this folder on it. Loading this file installs the finder and gives zerograd its place.
"""

import sys
from pathlib import Path

try:
    from zerograd.cli.importer import install
except ModuleNotFoundError:  # zerograd runs from a checkout, and only the parent had that on its path
    sys.path.append(str(Path(__file__).parents[3]))
    from zerograd.cli.importer import install

del sys.modules[__name__]
install()
