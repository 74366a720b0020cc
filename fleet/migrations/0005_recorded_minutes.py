"""Roll-ups that were loaded from a recording are few, and looked for at every tick."""

from django.db import migrations

INDEX = "CREATE INDEX fleet_crash_minute_recorded ON fleet_crash_minute (minute) WHERE recorded"


class Migration(migrations.Migration):
    dependencies = [("fleet", "0004_received_at")]
    operations = [migrations.RunSQL(INDEX, "DROP INDEX fleet_crash_minute_recorded")]
