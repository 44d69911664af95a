"""The command line: `zerograd run`, `zerograd profile`, `zerograd demo`."""
