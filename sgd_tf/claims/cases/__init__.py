"""The claims with their experiments, by question."""
