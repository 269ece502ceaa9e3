"""Learn stochastic gradient descent by racing it: gradient descent and SGD are one function with one dial."""

__version__ = "0.1.0"
