"""Writing events: identical ones of a day become one row with a count."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from services.models import Event, Instance, Service, Version

MERGE_WITHIN = timedelta(days=1)
LONGEST_NAME = 128


def record_event(
    service: Service,
    reason: str,
    message: str,
    *,
    now: datetime,
    level: Event.Level = Event.Level.NORMAL,
    about: Version | Instance | None = None,
    **detail: Any,
) -> None:
    """Write an event about a service, or about its version or instance."""
    version = about.version if isinstance(about, Instance) else about
    kind, name = _resource(service, about)
    same = Event.objects.filter(
        service=service,
        version=version,
        reason=reason,
        level=level,
        resource_type=kind,
        resource_name=name,
        message=message[:1000],
        last_at__gte=now - MERGE_WITHIN,
    )
    if same.update(count=F("count") + 1, last_at=now, detail=detail):
        return
    Event.objects.create(
        service=service,
        version=version,
        reason=reason,
        level=level,
        resource_type=kind,
        resource_name=name,
        message=message[:1000],
        detail=detail,
        first_at=now,
        last_at=now,
    )


def _resource(service: Service, about: Version | Instance | None) -> tuple[str, str]:
    if isinstance(about, Instance):
        return "Instance", about.name
    if isinstance(about, Version):
        return "Version", f"{service.name}/{about.name}"[:LONGEST_NAME]
    return "Service", service.name
