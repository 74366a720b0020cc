"""Kernel lines of hosts."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fleet", "0002_partitioned_crashes")]
    operations = [
        migrations.CreateModel(
            name="KernelLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("kind", models.CharField(max_length=20)),
                ("line", models.CharField(max_length=500)),
                ("device", models.CharField(blank=True, max_length=50)),
                (
                    "host",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="kernel_lines", to="fleet.host"
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["host", "-at"], name="fleet_kerne_host_id_8700b9_idx")]},
        ),
    ]
