"""When the gate of a stack closes by itself."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0005_channels"),
    ]

    operations = [
        migrations.CreateModel(
            name="GatePolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("only", models.BooleanField(default=True, editable=False, unique=True)),
                ("enabled", models.BooleanField(default=False)),
                (
                    "least_score",
                    models.FloatField(default=14.0, validators=[django.core.validators.MinValueValidator(0.0)]),
                ),
                (
                    "least_severity",
                    models.CharField(
                        choices=[("major", "Major"), ("minor", "Minor"), ("notice", "Notice")],
                        default="major",
                        max_length=10,
                    ),
                ),
                ("changed_at", models.DateTimeField(blank=True, null=True)),
                ("changed_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "verbose_name_plural": "gate policies",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("only", True)), name="gate_policy_is_one"),
                    models.CheckConstraint(
                        condition=models.Q(("least_score__gte", 0)), name="gate_policy_score_is_a_score"
                    ),
                ],
            },
        ),
    ]
