"""The timeline is not emptied by TRUNCATE either, which triggers of rows never see.

No setting of a session lets it through, for whoever can empty a table can set one too. Tests, which empty every table
after themselves, switch this trigger off in their own database alone (tests/conftest.py).
"""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0009_last_tick"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="timelineentry",
            trigger=pgtrigger.compiler.Trigger(
                name="never_emptied",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
                    hash="44f0242f81ccf156e106a64d5f6bb338e039140e",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_never_emptied_cc550",
                    table="incidents_timelineentry",
                    when="BEFORE",
                ),
            ),
        ),
    ]
