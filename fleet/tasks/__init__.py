"""Celery's side of the fleet: a few lines around one service call each."""
