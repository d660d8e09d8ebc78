"""API keys: made, shown, disabled, enabled, deleted; the gateway follows within a second."""

import hashlib
import secrets
import string
from datetime import datetime

from cryptography.fernet import InvalidToken
from django.db import transaction

from accounts import audit
from accounts.access import Actor
from accounts.encryption import cipher
from accounts.errors import Conflict, NotFound
from accounts.models import Role
from services.locks import lock_living, lock_service
from services.models import ApiKey, Service
from services.operations import checks
from services.operations.events import record_event
from services.signals import service_changed

SECRET_LENGTH = 40
MOST_KEYS = 1000


def create_key(
    actor: Actor,
    service: Service,
    *,
    name: str,
    now: datetime,
    expires_at: datetime | None = None,
    built_in: bool = False,
) -> ApiKey:
    """Make a key for a service; raise InvalidInput for a bad or taken name or a past expiry."""
    actor.require(Role.DEVELOPER, "add an API key")
    with transaction.atomic():
        lock_living(service.pk)
        _check_new(service, name, expires_at, now)
        plain = _new_secret(service)
        key = ApiKey.objects.create(
            service=service,
            name=name,
            built_in=built_in,
            digest=hashlib.sha256(plain.encode()).hexdigest(),
            encrypted=cipher().encrypt(plain.encode()),
            hint=plain[-4:],
            expires_at=expires_at,
            created_by=actor.user,
            created_at=now,
        )
        _write_down(actor, "create", key, now)
    return key


def reveal_key(actor: Actor, key: ApiKey) -> str:
    """Return the key itself, leaving an audit line."""
    actor.require(Role.DEVELOPER, "view an API key")
    plain = _decrypted(key)
    audit.record(actor, "key.reveal", key, service=key.service_id)
    return plain


def key_for_call(actor: Actor, key: ApiKey) -> str:
    """Return the key for a call that Slipway makes for the actor, who does not get to see it."""
    actor.require(Role.DEVELOPER, "call a service from the console")
    plain = _decrypted(key)
    audit.record(actor, "key.use", key, service=key.service_id)
    return plain


def _decrypted(key: ApiKey) -> str:
    try:
        return cipher().decrypt(bytes(key.encrypted)).decode()
    except InvalidToken as error:
        raise Conflict(
            "This key was stored with an encryption key that is not configured any more. "
            "Delete it and add a new one, or ask an operator to restore the former encryption key."
        ) from error


def set_key_enabled(actor: Actor, key: ApiKey, *, enabled: bool, now: datetime) -> None:
    """Disable or enable a key; a repeat changes nothing."""
    actor.require(Role.DEVELOPER, f"{'enable' if enabled else 'disable'} an API key")
    with transaction.atomic():
        lock_service(key.service_id)
        if not ApiKey.objects.filter(pk=key.pk, enabled=not enabled).update(enabled=enabled):
            return
        key.enabled = enabled
        _write_down(actor, "enable" if enabled else "disable", key, now)


def delete_key(actor: Actor, key: ApiKey, *, now: datetime) -> None:
    """Delete a key for good; the built-in one can only be disabled."""
    actor.require(Role.DEVELOPER, "delete an API key")
    if key.built_in:
        raise Conflict("The built-in key belongs to the service; disable it instead.")
    with transaction.atomic():
        lock_service(key.service_id)
        deleted, _ = ApiKey.objects.filter(pk=key.pk).delete()
        if not deleted:
            raise NotFound("This key does not exist any more.")
        _write_down(actor, "delete", key, now)


def _check_new(service: Service, name: str, expires_at: datetime | None, now: datetime) -> None:
    problems = checks.Problems()
    checks.check_name(problems, name)
    taken = service.api_keys.filter(name=name).exists()
    problems.check("name", ok=not taken, message=f"There is a key named {name} already.")
    problems.check(
        "expires_at",
        ok=expires_at is None or expires_at > now,
        message="Choose a time in the future, or leave it empty for a key that does not expire.",
    )
    problems.raise_any()
    if service.api_keys.count() >= MOST_KEYS:
        raise Conflict(f"A service has at most {MOST_KEYS} keys; delete one that is not used.")


def _new_secret(service: Service) -> str:
    alphabet = string.ascii_letters + string.digits
    return f"DW-{service.pk}-" + "".join(secrets.choice(alphabet) for _ in range(SECRET_LENGTH))


def _write_down(actor: Actor, what: str, key: ApiKey, now: datetime) -> None:
    audit.record(actor, f"key.{what}", key, service=key.service_id)
    past = {"create": "added", "enable": "enabled", "disable": "disabled", "delete": "deleted"}
    record_event(
        key.service,
        f"Key{past[what].title()}",
        f"{actor.name} {past[what]} key {key.name}",
        now=now,
    )
    service_changed.send(sender=Service, service_id=key.service_id)
