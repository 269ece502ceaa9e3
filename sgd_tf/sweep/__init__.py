"""Which batch size: a sweep over k, and what it says."""
