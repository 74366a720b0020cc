"""Channels to people, and what went through them."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0004_gates_closed_by_each_incident"),
    ]

    operations = [
        migrations.CreateModel(
            name="Channel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("sealed", models.TextField(blank=True, help_text="The apprise address, encrypted")),
                ("shown", models.CharField(max_length=80)),
                ("service", models.CharField(max_length=80)),
                (
                    "verdicts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("deploy", "Deploy"),
                                ("host", "Host"),
                                ("app", "App"),
                                ("group", "Group"),
                                ("fleet", "Fleet"),
                            ],
                            max_length=10,
                        ),
                        size=None,
                    ),
                ),
                (
                    "severities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[("major", "Major"), ("minor", "Minor"), ("notice", "Notice")], max_length=10
                        ),
                        size=None,
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("changed_at", models.DateTimeField()),
                ("changed_by", models.CharField(max_length=150)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("removed_at__isnull", True)),
                        fields=("name",),
                        name="one_kept_channel_a_name",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("removed_at__isnull", True), models.Q(("enabled", False), ("sealed", "")), _connector="OR"
                        ),
                        name="removed_channel_has_no_address",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "occasion",
                    models.CharField(
                        choices=[
                            ("opened", "Opened"),
                            ("cause", "Cause"),
                            ("severity", "Severity"),
                            ("resolved", "Resolved"),
                            ("test", "Test"),
                        ],
                        max_length=10,
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=100)),
                ("ref", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("state", models.CharField(default="pending", max_length=16)),
                ("title", models.CharField(blank=True, max_length=200)),
                ("text", models.TextField(blank=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                ("lease_owner", models.CharField(blank=True, max_length=100)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True)),
                ("queued_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="incidents.channel"
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="incidents.incident",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["pending", "sending", "failed"])),
                        fields=["next_attempt_at"],
                        name="deliveries_to_send",
                    ),
                    models.Index(fields=["-queued_at"], name="incidents_d_queued__4e17f6_idx"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "sending", "failed", "sent", "dead"])),
                        name="delivery_state_is_known",
                    ),
                    models.UniqueConstraint(
                        fields=("channel", "incident", "occasion", "key"), name="one_delivery_an_occasion"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("occasion", "test"), ("incident__isnull", False), _connector="OR"),
                        name="delivery_has_incident",
                    ),
                ],
            },
        ),
    ]
