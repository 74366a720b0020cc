"""The watch notes when it last looked, and how long that took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0008_backtests"),
    ]

    operations = [
        migrations.AddField(
            model_name="watch",
            name="tick_bins",
            field=models.PositiveIntegerField(db_default=0, help_text="Bins that the last tick acted on"),
        ),
        migrations.AddField(
            model_name="watch",
            name="tick_ended_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="watch",
            name="tick_started_at",
            field=models.DateTimeField(blank=True, help_text="When the last tick that went well began", null=True),
        ),
    ]
