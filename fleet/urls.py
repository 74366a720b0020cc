"""Addresses of the fleet: pages and the HTTP interface."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from fleet.views import hosts
from fleet.views.addresses import Name

register_converter(Name, "name")
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("fleet.api.urls")),
    path("hosts", hosts.hosts, name="hosts"),
    path("hosts/taint", hosts.taint, name="hosts-taint"),
    path("hosts/<name:name>", hosts.host, name="host"),
    path("hosts/<name:name>/untaint", hosts.untaint, name="host-untaint"),
]
