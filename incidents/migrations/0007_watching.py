"""The watch's lease, memory and notices, and a verdict for every deploy."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0004_received_at"),
        ("incidents", "0006_gate_policy"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeployVerdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "word",
                    models.CharField(
                        choices=[
                            ("cause", "Cause"),
                            ("suspect", "Suspect"),
                            ("harmless", "no sign of harm"),
                            ("early", "too early to tell"),
                            ("alone", "nothing to compare with"),
                        ],
                        max_length=10,
                    ),
                ),
                ("sentence", models.TextField()),
                ("score", models.FloatField(default=0.0)),
                ("rate_ratio", models.FloatField(null=True)),
                ("interval", models.JSONField(blank=True, default=list)),
                ("host_minutes", models.FloatField(default=0.0)),
                ("hosts", models.PositiveIntegerField(default=0)),
                ("controls", models.PositiveIntegerField(default=0)),
                (
                    "would_have_seen",
                    models.FloatField(help_text="The smallest rise that would have been blamed by now", null=True),
                ),
                ("speaks_for", models.JSONField(blank=True, default=list)),
                ("speaks_against", models.JSONField(blank=True, default=list)),
                ("late", models.TextField(blank=True, help_text="What came late and changed it")),
                ("judged_to", models.DateTimeField()),
                (
                    "deploy",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="standing", to="fleet.deploy"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(help_text="The bin's end by which it was known")),
                ("update", models.BooleanField(default=False)),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("deploy", "Deploy"),
                            ("host", "Host"),
                            ("app", "App"),
                            ("group", "Group"),
                            ("fleet", "Fleet"),
                        ],
                        max_length=10,
                    ),
                ),
                ("subject", models.CharField(max_length=300)),
                ("content", models.JSONField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["-at"], name="incidents_n_at_10e6ea_idx")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("verdict", "subject", "at", "update"), name="one_notice_a_subject_and_bin"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("holder", models.CharField(blank=True, max_length=32)),
                ("fence", models.BigIntegerField(default=0)),
                ("held_until", models.DateTimeField(blank=True, null=True)),
                (
                    "judged_to",
                    models.DateTimeField(blank=True, help_text="End of the last bin that was acted on", null=True),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_watch")],
            },
        ),
        migrations.CreateModel(
            name="WatchMemory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("judged_to", models.DateTimeField()),
                ("version", models.CharField(max_length=64)),
                ("content", models.BinaryField()),
                ("saved_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "watch memories",
                "indexes": [models.Index(fields=["-judged_to"], name="incidents_w_judged__d096c5_idx")],
            },
        ),
    ]
