"""Gradient descent against SGD on one clock, and the search for learning rates."""
