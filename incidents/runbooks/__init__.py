"""Runbooks: the written procedures, their runs, and the steps that carry them out."""
