"""The learner's own data: a file is read, its table is understood column by column, and a problem is built."""
