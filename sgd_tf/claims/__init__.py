"""What is said of SGD, each claim beside its experiment."""
