"""Each incident closes a stack's gate for itself, and so does a person by hand."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("incidents", "0003_asked_of_steps")]
    operations = [
        migrations.RemoveConstraint(model_name="gate", name="one_closed_gate_a_stack"),
        migrations.AddConstraint(
            model_name="gate",
            constraint=models.UniqueConstraint(
                fields=["stack", "incident"],
                condition=Q(opened_at__isnull=True, incident__isnull=False),
                name="one_closed_gate_an_incident",
            ),
        ),
        migrations.AddConstraint(
            model_name="gate",
            constraint=models.UniqueConstraint(
                fields=["stack"],
                condition=Q(opened_at__isnull=True, incident__isnull=True),
                name="one_gate_closed_by_hand",
            ),
        ),
    ]
