"""A worker to be killed: drives one migration until it has ended. python -m tests.fleet.migration.driver ID"""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from fleet.migration.mover import drive_migration  # noqa: E402
from fleet.models import Migration  # noqa: E402

if __name__ == "__main__":
    key = int(sys.argv[1])
    while Migration.objects.filter(pk=key, state="running").exists():
        drive_migration(key)
        time.sleep(0.05)
