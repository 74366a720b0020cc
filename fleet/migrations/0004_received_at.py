"""When deploys, and what they did on hosts, were told of; kernel lines too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0003_kernel_lines"),
    ]

    operations = [
        migrations.AddField(
            model_name="deploy",
            name="received_at",
            field=models.DateTimeField(blank=True, help_text="When it was first told of; null: as it began", null=True),
        ),
        migrations.AddField(
            model_name="hostdeploy",
            name="corrected_at",
            field=models.DateTimeField(blank=True, help_text="When its time or outcome was told otherwise", null=True),
        ),
        migrations.AddField(
            model_name="hostdeploy",
            name="received_at",
            field=models.DateTimeField(blank=True, help_text="When it was first told of; null: at once", null=True),
        ),
        migrations.AddField(
            model_name="hostdeploy",
            name="started_at",
            field=models.DateTimeField(blank=True, help_text="When it began there, where the tool says so", null=True),
        ),
        migrations.AddField(
            model_name="kernelline",
            name="received_at",
            field=models.DateTimeField(blank=True, help_text="When it was read; null: at once", null=True),
        ),
        migrations.AddIndex(
            model_name="hostdeploy",
            index=models.Index(fields=["-received_at"], name="fleet_hostd_receive_566566_idx"),
        ),
        migrations.AddIndex(
            model_name="hostdeploy",
            index=models.Index(
                condition=models.Q(("corrected_at__isnull", False)),
                fields=["-corrected_at"],
                name="corrected_host_deploys",
            ),
        ),
    ]
