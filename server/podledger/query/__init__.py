"""The search language: text to tree, and the meaning of the tree. Pure: no loop, no socket, no driver."""
