"""The parts of the DataLoader: collation, fetching, worker processes and how data comes back from them."""
