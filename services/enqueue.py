"""Asking a worker to look at something once the transaction is committed.

After a commit, a message that cannot be sent is logged and forgotten: the sweep finds the same
work by itself.
"""

from celery import current_app
from django.db import transaction

RECONCILE = "services.tasks.reconcile"
PREPARE = "services.tasks.prepare"


def reconcile_on_commit(version_id: str) -> None:
    """Have a version reconciled after commit."""
    transaction.on_commit(lambda: send(RECONCILE, version_id), robust=True)


def send(task: str, *arguments: object, delay: float = 0) -> None:
    """Queue a task by name; `delay` in seconds. Raises kombu's error when no broker answers."""
    current_app.send_task(task, args=arguments, countdown=delay or None, retry=False)
