"""Addresses of incidents: pages, live events and exports."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path, register_converter

from fleet.views.addresses import Key
from incidents.views import acting, backtests, deploys, export, incident, live, now, settings

register_converter(Key, "key")
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("incidents.api.urls")),
    path("", now.now, name="now"),
    path("sign-in", LoginView.as_view(template_name="sign_in.html", redirect_authenticated_user=True), name="sign-in"),
    path("sign-out", LogoutView.as_view(), name="sign-out"),
    path("live", live.live, name="live"),
    path("incidents", incident.incidents, name="incidents"),
    path("incidents/<int:number>", incident.incident, name="incident"),
    path("incidents/<int:number>/export.<str:form>", export.export_incident, name="incident-export"),
    path("incidents/<int:number>/run/<str:act>", acting.run_act, name="incident-run"),
    path("incidents/<int:number>/steps/<int:step_id>/<str:act>", acting.step_act, name="incident-step"),
    path(
        "incidents/<int:number>/migrations/<int:migration_id>/<str:act>",
        acting.migration_act,
        name="incident-migration",
    ),
    path("incidents/<int:number>/<str:act>", acting.incident_act, name="incident-act"),
    path("deploys", deploys.deploys, name="deploys"),
    path("deploys/<key:key>", deploys.deploy, name="deploy"),
    path("settings", settings.overview, name="settings"),
    path("settings/notifications", settings.notifications, name="settings-notifications"),
    path("settings/notifications/new", settings.new_channel, name="settings-channel-new"),
    path("settings/notifications/<int:number>", settings.channel, name="settings-channel"),
    path("settings/notifications/<int:number>/<str:act>", settings.channel_act, name="settings-channel-act"),
    path("settings/detection", backtests.detection, name="settings-detection"),
    path("settings/detection/backtests/<int:number>", backtests.backtest, name="settings-backtest"),
    path("settings/detection/backtests/<int:number>/cancel", backtests.cancel, name="settings-backtest-cancel"),
    path("settings/policy", settings.policy, name="settings-policy"),
    path("gates/<key:stack>/<str:act>", acting.gate_act, name="gate-act"),
]
