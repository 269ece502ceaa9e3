"""Gradients of k samples: their noise, its law, escapes, curvature."""
