"""The command line: `zerograd run`, `zerograd demo`."""
