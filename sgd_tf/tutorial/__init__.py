"""The tutorial: a path of steps, each a question, a film, one control and a few lines of TensorFlow."""
