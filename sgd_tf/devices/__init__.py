"""One minibatch over several devices or machines."""
