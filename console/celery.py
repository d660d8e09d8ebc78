"""The queue: tasks are found in every app; the timer's table is here."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

app = Celery("slipway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "sweep": {
        "task": "services.tasks.sweep",
        "schedule": 5.0,
        # A timer's message that nobody took in time is worth nothing: the next one is due.
        "options": {"expires": 5.0},
    },
    "forget-traffic": {
        "task": "networking.tasks.forget_traffic",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "refresh-nodes": {
        "task": "services.tasks.refresh_nodes",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
}
