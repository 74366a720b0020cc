"""Every address of Faultline."""

from django.urls import include, path

urlpatterns = [
    path("", include("incidents.urls")),
    path("", include("fleet.urls")),
]
