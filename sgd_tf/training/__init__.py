"""Training: records, pipeline, models, the compiled loop, the clocked run and what it leaves."""
