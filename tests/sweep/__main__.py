"""``python -m tests.sweep``: every sample of every operator; what is not verified is printed."""
