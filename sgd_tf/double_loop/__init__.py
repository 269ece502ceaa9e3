"""The double loop of SGD, step by step."""
