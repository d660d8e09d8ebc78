"""Addresses of the services app; `console.service_urls` adds those of pages that join subjects."""

from django.urls import URLPattern, path

from services.converters import KEY, SERVICE
from services.views import bulk, events, keys, lifecycle, models

app_name = "services"

urlpatterns: list[URLPattern] = [
    path("models/", models.model_list, name="models"),
    path("models/<slug:slug>/", models.model, name="model"),
    path("services/bulk/<slug:action>/", bulk.bulk, name="bulk"),
    path(f"{SERVICE}status/", lifecycle.status, name="status"),
    path(f"{SERVICE}rename/", lifecycle.rename, name="rename"),
    path(f"{SERVICE}start/", lifecycle.start, name="start"),
    path(f"{SERVICE}stop/", lifecycle.stop, name="stop"),
    path(f"{SERVICE}delete/", lifecycle.delete, name="delete"),
    path(f"{SERVICE}keys/", keys.keys, name="keys"),
    path(f"{SERVICE}keys/add/", keys.add, name="add_key"),
    path(f"{KEY}reveal/", keys.reveal, name="reveal_key"),
    path(f"{KEY}enable/", keys.enable, name="enable_key"),
    path(f"{KEY}disable/", keys.disable, name="disable_key"),
    path(f"{KEY}delete/", keys.delete, name="delete_key"),
    path(f"{SERVICE}events/", events.events, name="events"),
]
