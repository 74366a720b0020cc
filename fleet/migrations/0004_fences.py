"""The fence of each host, and each kernel line once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fleet", "0003_kernel_lines")]
    operations = [
        migrations.AddField(
            model_name="host",
            name="fence",
            field=models.BigIntegerField(default=0, help_text="The highest given out for it; every effect carries it"),
        ),
        migrations.AddConstraint(
            model_name="kernelline",
            constraint=models.UniqueConstraint(fields=("host", "at", "line"), name="one_row_a_kernel_line"),
        ),
    ]
