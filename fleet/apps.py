"""The fleet as a Django app."""

from django.apps import AppConfig


class FleetConfig(AppConfig):
    """Names the app."""

    name = "fleet"
    default_auto_field = "django.db.models.BigAutoField"
