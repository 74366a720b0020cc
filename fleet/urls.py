"""Addresses of the fleet: pages and the HTTP interface."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("fleet.api.urls")),
]
