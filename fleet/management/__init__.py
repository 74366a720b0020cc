"""Work of the fleet that is done on the command line."""
