"""Lab fleets, simulated and real."""
