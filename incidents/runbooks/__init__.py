"""Runbooks: the written procedures, and the engine that carries out their runs."""
