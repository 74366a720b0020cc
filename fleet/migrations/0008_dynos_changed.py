"""The watch asks every minute which dynos changed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0007_trap_and_sys_kinds"),
    ]

    operations = [
        migrations.AddIndex(model_name="dyno", index=models.Index(fields=["changed_at"], name="dynos_changed")),
    ]
