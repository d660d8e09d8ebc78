"""Registers the app."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """The telemetry app."""

    name = "telemetry"
