"""Dynos that were stopped to be moved, and started nowhere yet, have a word of their own."""

from django.db import migrations, models

STATES = ["starting", "running", "crashed", "stopping", "stopped", "lost", "stranded"]


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0005_recorded_minutes"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="dyno", name="dyno_state_is_known"),
        migrations.AddConstraint(
            model_name="dyno",
            constraint=models.CheckConstraint(condition=models.Q(state__in=STATES), name="dyno_state_is_known"),
        ),
    ]
