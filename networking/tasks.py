"""Celery's way in: what has to be done from time to time."""

from celery import shared_task
from django.utils import timezone

from networking.traffic import forget_old_minutes


@shared_task
def forget_traffic() -> int:
    """Delete minutes past their time; return how many."""
    return forget_old_minutes(now=timezone.now())
