"""Registers the app."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The composition root: the shell, the wizard and the pages that join subjects."""

    name = "console"
