"""What monitoring is told of the watch."""

from collections.abc import Iterable
from datetime import datetime

from fleet.metrics import Family
from incidents.models import Watch


def families(now: datetime) -> Iterable[Family]:
    """Of the last tick that went well; no samples where there never was one."""
    watch = Watch.objects.filter(tick_ended_at__isnull=False).first()
    age = {"": watch.tick_age_seconds(now)} if watch else {}
    duration = {"": watch.tick_seconds} if watch else {}
    bins = {"": float(watch.tick_bins)} if watch else {}
    yield Family("faultline_tick_age_seconds", "gauge", "Since the watch last looked", age)
    yield Family("faultline_tick_duration_seconds", "gauge", "How long the watch's last look took", duration)
    yield Family("faultline_tick_bins", "gauge", "Bins that the watch's last look acted on", bins)
