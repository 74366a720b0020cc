"""Runs of changed thresholds over the stored past."""

import incidents.lifecycle
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0007_watching"),
    ]

    operations = [
        migrations.CreateModel(
            name="Backtest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.CharField(default=incidents.lifecycle.BacktestState["QUEUED"], max_length=16)),
                ("changes", models.JSONField(blank=True, default=dict)),
                ("since_at", models.DateTimeField()),
                ("until_at", models.DateTimeField()),
                ("progress", models.FloatField(default=0.0, help_text="0 to 1")),
                ("result", models.JSONField(blank=True, default=dict)),
                ("message", models.TextField(blank=True)),
                ("requested_at", models.DateTimeField()),
                ("requested_by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("lease_owner", models.CharField(blank=True, max_length=100)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("only", models.BooleanField(default=True, editable=False)),
            ],
            options={
                "ordering": ["-requested_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["queued", "running", "done", "failed", "cancelled"])),
                        name="backtest_state_is_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=("only",),
                        name="one_live_backtest",
                    ),
                    models.CheckConstraint(condition=models.Q(("only", True)), name="backtest_is_one_of_all"),
                    models.CheckConstraint(
                        condition=models.Q(("since_at__lt", models.F("until_at"))),
                        name="backtest_begins_before_it_ends",
                    ),
                ],
            },
        ),
    ]
