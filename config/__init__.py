"""Puts the parts of Faultline together: settings, addresses, servers and queues."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
