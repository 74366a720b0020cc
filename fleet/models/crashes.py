"""Crashes and their roll-up. Both tables are partitioned by time; migrations make them with SQL of their own.

Neither has foreign keys in the database: tens of thousands of rows a second come in, and the host and the app
of each are looked up, or made, before.
"""

from django.db import models

from fleet.models.dynos import App
from fleet.models.hosts import Host


class CrashKind(models.IntegerChoices):
    """How a dyno process died. From abort on they are hard: a fatal signal that is the program's own."""

    EXIT = 0, "exit"
    OUT_OF_MEMORY = 1, "out of memory"
    ABORT = 2, "abort"
    SEGV = 3, "segv"
    BUS = 4, "bus"
    ILL = 5, "ill"
    FPE = 6, "fpe"
    TRAP = 7, "trap"
    SYS = 8, "bad system call"


class Crash(models.Model):
    """One dyno process that died hard. `key` is derived from its id, or from its content: twice told is once kept."""

    pk = models.CompositePrimaryKey("at", "key")
    at = models.DateTimeField()
    key = models.UUIDField()
    received_at = models.DateTimeField()
    host = models.ForeignKey(Host, on_delete=models.DO_NOTHING, db_constraint=False, related_name="crashes")
    app = models.ForeignKey(App, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="crashes")
    kind = models.SmallIntegerField(choices=CrashKind)
    signal = models.CharField(max_length=16, null=True)
    exit_status = models.IntegerField(null=True)
    dyno = models.CharField(max_length=400, blank=True)
    program = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=50, blank=True)

    class Meta:
        managed = False
        db_table = "fleet_crash"

    def __str__(self) -> str:
        return f"{self.host_id} {self.get_kind_display()} at {self.at}"


class CrashMinute(models.Model):
    """How often one app crashed in one way on one host in one minute; what the watch and the pages read.

    `first_at` and `first_received_at` belong to the crash that was received first, so that what the watch has read
    once stays as it was; `app_id` is 0 where no app is known.
    """

    pk = models.CompositePrimaryKey("minute", "host_id", "app_id", "kind")
    minute = models.DateTimeField()
    host = models.ForeignKey(Host, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    app_id = models.BigIntegerField()
    kind = models.SmallIntegerField(choices=CrashKind)
    count = models.IntegerField()
    first_at = models.DateTimeField()
    first_received_at = models.DateTimeField()
    recorded = models.BooleanField(default=False, help_text="Loaded from a recording, not measured on this fleet")

    class Meta:
        managed = False
        db_table = "fleet_crash_minute"

    def __str__(self) -> str:
        return f"{self.count} of {self.get_kind_display()} at {self.minute}"
