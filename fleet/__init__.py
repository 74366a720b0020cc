"""What runs where, what happened to it, how to reach it and act on it."""
