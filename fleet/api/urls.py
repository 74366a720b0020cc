"""Addresses that programs call; those of /api/v1/ are put together with the incidents' own."""

from django.urls import path

from fleet.api import health, hooks

urlpatterns = [
    path("hooks/<str:source>", hooks.receive, name="hook"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("readyz", health.readyz, name="readyz"),
]
