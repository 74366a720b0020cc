"""The measures: each a command that prints its figures, the last line as JSON."""
