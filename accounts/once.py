"""Secrets that one page shows once: kept encrypted in the session from the POST to its redirect.

The redirect is what makes a reload harmless: it shows the page again without repeating the write.
"""

import json

from cryptography.fernet import InvalidToken
from django.http import HttpRequest

from accounts.encryption import cipher

# A page that is not opened within this time never shows the secret.
SECONDS = 300


def keep(request: HttpRequest, name: str, shown: dict[str, str]) -> None:
    """Keep what the next page shows under a name."""
    request.session[_key(name)] = cipher().encrypt(json.dumps(shown).encode()).decode()


def take(request: HttpRequest, name: str) -> dict[str, str] | None:
    """Return what was kept and forget it; None when there is nothing or it is too old."""
    kept = request.session.pop(_key(name), None)
    if kept is None:
        return None
    try:
        shown: dict[str, str] = json.loads(cipher().decrypt(kept, ttl=SECONDS))
    except InvalidToken:
        return None
    return shown


def _key(name: str) -> str:
    return f"once.{name}"
