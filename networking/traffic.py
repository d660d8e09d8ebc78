"""What is kept of traffic, and for how long."""

from datetime import datetime, timedelta

from networking.models import TrafficMinute

MINUTES_KEPT_FOR = timedelta(days=15)
DELETED_AT_ONCE = 10_000


def forget_old_minutes(*, now: datetime) -> int:
    """Delete minutes older than they are kept, in small transactions; return how many."""
    old = TrafficMinute.objects.filter(minute__lt=now - MINUTES_KEPT_FOR).order_by("minute")
    forgotten = 0
    while True:
        batch = list(old.values_list("pk", flat=True)[:DELETED_AT_ONCE])
        if not batch:
            return forgotten
        forgotten += TrafficMinute.objects.filter(pk__in=batch).delete()[0]
