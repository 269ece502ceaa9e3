"""What the pages share: language, controls, the live view of a run."""
