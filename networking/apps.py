"""Registers the app."""

from django.apps import AppConfig


class NetworkingConfig(AppConfig):
    """The networking app."""

    name = "networking"
