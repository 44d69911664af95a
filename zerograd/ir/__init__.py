"""What a computation is: types, ops, nodes; and the recorder through which every node is made."""
