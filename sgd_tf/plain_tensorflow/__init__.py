"""Code to take home: the lab's runs as plain TensorFlow, which needs no part of this package."""
