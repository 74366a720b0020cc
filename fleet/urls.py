"""Addresses of the fleet: pages and the HTTP interface."""

from django.urls import URLPattern, URLResolver, include, path

from fleet.views import hosts

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("fleet.api.urls")),
    path("hosts", hosts.hosts, name="hosts"),
    path("hosts/taint", hosts.taint, name="hosts-taint"),
    path("hosts/<str:name>", hosts.host, name="host"),
    path("hosts/<str:name>/untaint", hosts.untaint, name="host-untaint"),
]
