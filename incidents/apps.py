"""The incidents as a Django app."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Names the app."""

    name = "incidents"
    default_auto_field = "django.db.models.BigAutoField"
