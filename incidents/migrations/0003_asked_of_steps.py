"""Who waits for a second person to approve a step."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0002_roles")]
    operations = [
        migrations.AddField(
            model_name="runstep",
            name="asked",
            field=models.JSONField(
                blank=True, default=dict, help_text="Who asked a second person, when, for which digest"
            ),
        ),
    ]
