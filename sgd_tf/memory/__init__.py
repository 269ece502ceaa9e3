"""The memory of an update: the wall, and accumulation of gradients."""
