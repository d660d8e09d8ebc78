"""Identifiers that people see: a prefix, a hyphen and random lower-case alphanumerics."""

import secrets
import string

ALPHABET = string.ascii_lowercase + string.digits


def new_id(prefix: str, length: int = 12) -> str:
    """Return a fresh identifier such as `ms-k3v9x1t7m2qa`."""
    return f"{prefix}-" + "".join(secrets.choice(ALPHABET) for _ in range(length))
