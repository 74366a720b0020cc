"""Tells live pages that something changed, through PostgreSQL's NOTIFY: sent when the transaction commits, or never."""

import json

from django.db import connection

CHANNEL = "faultline"
FLEET = "fleet"  # hosts, deploys, crashes


def announce(topic: str, **detail: int | str) -> None:
    """Says that `topic` ("incident:12", "gates", FLEET) changed; pages that show it ask for what is new."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, json.dumps({"topic": topic, **detail})])
