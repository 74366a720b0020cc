"""Two more fatal signals have a kind of their own; the tables of crashes take any number."""

from django.db import migrations, models

KINDS = [
    (0, "exit"),
    (1, "out of memory"),
    (2, "abort"),
    (3, "segv"),
    (4, "bus"),
    (5, "ill"),
    (6, "fpe"),
    (7, "trap"),
    (8, "bad system call"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("fleet", "0006_stranded_dynos"),
    ]

    operations = [
        migrations.AlterField(model_name=name, name="kind", field=models.SmallIntegerField(choices=KINDS))
        for name in ("crash", "crashminute")
    ]
