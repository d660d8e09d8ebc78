"""The two secrets of an installation, made once and kept beside its data."""

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet


def load_or_make_keys(data_dir: Path) -> dict[str, str]:
    """Return the variables that carry the secrets; those set by the operator are left alone."""
    made = {
        "SLIPWAY_SECRET_KEY": ("secret_key", lambda: secrets.token_urlsafe(48)),
        "SLIPWAY_ENCRYPTION_KEYS": ("encryption_key", lambda: Fernet.generate_key().decode()),
    }
    return {
        variable: os.environ.get(variable) or _load_or_make(data_dir / name, make())
        for variable, (name, make) in made.items()
    }


def _load_or_make(path: Path, fresh: str) -> str:
    """Return the secret in the file, which appears whole or not at all and only we may read."""
    if path.exists():
        return path.read_text().strip()
    half_made = path.with_suffix(".new")
    half_made.unlink(missing_ok=True)
    descriptor = os.open(half_made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{fresh}\n")
        file.flush()
        os.fsync(file.fileno())
    half_made.rename(path)
    return fresh
