"""Addresses of incidents: pages, live events and exports."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("incidents.api.urls")),
]
