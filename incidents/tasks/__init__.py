"""Celery's side of incidents: a few lines around one service call each."""
