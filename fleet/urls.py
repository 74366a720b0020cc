"""Addresses of the fleet: pages and the HTTP interface."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
