"""The crash tables, partitioned by time, and the sequence from which fences come."""

from django.db import migrations

CRASHES = """
CREATE TABLE fleet_crash (
    at timestamptz NOT NULL,
    key uuid NOT NULL,
    received_at timestamptz NOT NULL,
    host_id bigint NOT NULL,
    app_id bigint,
    kind smallint NOT NULL,
    signal varchar(16),
    exit_status integer,
    dyno varchar(400) NOT NULL DEFAULT '',
    program varchar(200) NOT NULL DEFAULT '',
    source varchar(50) NOT NULL DEFAULT '',
    PRIMARY KEY (at, key)
) PARTITION BY RANGE (at);
CREATE INDEX fleet_crash_host_at ON fleet_crash (host_id, at);
"""

MINUTES = """
CREATE TABLE fleet_crash_minute (
    minute timestamptz NOT NULL,
    host_id bigint NOT NULL,
    app_id bigint NOT NULL,
    kind smallint NOT NULL,
    count integer NOT NULL,
    first_at timestamptz NOT NULL,
    first_received_at timestamptz NOT NULL,
    recorded boolean NOT NULL DEFAULT false,
    PRIMARY KEY (minute, host_id, app_id, kind)
) PARTITION BY RANGE (minute);
CREATE INDEX fleet_crash_minute_host ON fleet_crash_minute (host_id, minute);
CREATE INDEX fleet_crash_minute_received ON fleet_crash_minute USING brin (first_received_at) WITH (pages_per_range = 16);
"""


class Migration(migrations.Migration):
    dependencies = [("fleet", "0001_facts")]
    operations = [
        migrations.RunSQL(CRASHES, "DROP TABLE fleet_crash"),
        migrations.RunSQL(MINUTES, "DROP TABLE fleet_crash_minute"),
        migrations.RunSQL("CREATE SEQUENCE fleet_fence", "DROP SEQUENCE fleet_fence"),
    ]
