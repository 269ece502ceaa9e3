"""What a step costs: seconds per epoch against k, for model.fit and its switches, for own loops, for the lab's loop."""
