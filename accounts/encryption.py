"""The one cipher for what is secret and stored."""

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def cipher() -> MultiFernet:
    """Return it: the first key encrypts, all decrypt; raise ImproperlyConfigured without any."""
    if not settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured("Set SLIPWAY_ENCRYPTION_KEYS to a Fernet key.")
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
