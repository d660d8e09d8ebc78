"""The verbs of accounts: members, tokens, passwords; each leaves an audit line."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.access import Actor
from accounts.errors import Conflict, InvalidInput
from accounts.models import AccessToken, Membership, Role, User, Workspace

TOKEN_PREFIX = "slp_"
MOST_TOKENS = 50
LONGEST_TOKEN_NAME = 64


@dataclass(frozen=True)
class AddedMember:
    """A new member, and the one-time password when the person is new too."""

    membership: Membership
    password: str = ""


@dataclass(frozen=True)
class NewToken:
    """A token's row and, this once, the token itself."""

    token: AccessToken
    secret: str


def add_member(actor: Actor, *, username: str, role: Role, create: bool) -> AddedMember:
    """Add a person to the workspace, creating the account with a one-time password if asked to."""
    actor.require(Role.ADMINISTRATOR, "add members")
    with transaction.atomic():
        user, password = _find_or_create(username.strip(), create=create)
        if Membership.objects.filter(workspace=actor.workspace, user=user).exists():
            raise InvalidInput({"username": f"{user.username} is a member already."})
        membership = Membership.objects.create(workspace=actor.workspace, user=user, role=role)
        audit.record(actor, "member.add", user, role=role, created=bool(password))
    return AddedMember(membership, password)


def change_role(actor: Actor, membership: Membership, role: Role) -> None:
    """Give a member another role; the last administrator keeps theirs."""
    actor.require(Role.ADMINISTRATOR, "change roles")
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=membership.workspace_id)
        if role != Role.ADMINISTRATOR:
            _keep_an_administrator(membership)
        before, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        audit.record(actor, "member.role", membership.user, before=before, after=role)


def remove_member(actor: Actor, membership: Membership) -> None:
    """Take a person out of the workspace; what they made stays."""
    actor.require(Role.ADMINISTRATOR, "remove members")
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=membership.workspace_id)
        _keep_an_administrator(membership)
        audit.record(actor, "member.remove", membership.user, role=membership.role)
        membership.delete()


def create_token(
    actor: Actor, *, name: str, expires_at: datetime | None, now: datetime
) -> NewToken:
    """Make an access token of the actor's own; only its digest is kept."""
    user = _person(actor)
    problems = {}
    if not 0 < len(name.strip()) <= LONGEST_TOKEN_NAME:
        problems["name"] = "Enter a name of 1 to 64 characters."
    if expires_at is not None and expires_at <= now:
        problems["expires_at"] = "Choose a time in the future, or leave it empty."
    if problems:
        raise InvalidInput(problems)
    if user.access_tokens.count() >= MOST_TOKENS:
        raise Conflict(f"You have {MOST_TOKENS} tokens; revoke one that is not used.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = AccessToken.objects.create(
            user=user,
            name=name.strip(),
            digest=token_digest(secret),
            hint=secret[-4:],
            expires_at=expires_at,
            created_at=now,
        )
        audit.record(actor, "token.create", token)
    return NewToken(token, secret)


def revoke_token(actor: Actor, token: AccessToken) -> None:
    """Revoke an access token for good."""
    with transaction.atomic():
        audit.record(actor, "token.revoke", token)
        token.delete()


def token_digest(secret: str) -> str:
    """Return what is stored of an access token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def update_profile(actor: Actor, *, first_name: str, last_name: str, time_zone: str) -> None:
    """Change a person's own name and time zone."""
    user = _person(actor)
    user.first_name, user.last_name, user.time_zone = first_name, last_name, time_zone
    with transaction.atomic():
        user.save(update_fields=["first_name", "last_name", "time_zone"])
        audit.record(actor, "profile.update", user)


def _person(actor: Actor) -> User:
    if actor.user is None:
        raise Conflict("Only a person has a profile and access tokens.")
    return actor.user


def _find_or_create(username: str, *, create: bool) -> tuple[User, str]:
    user = User.objects.filter(username=username).first()
    if user is not None:
        return user, ""
    if not create:
        raise InvalidInput(
            {"username": "Nobody has this user name. Tick “Create the account” to make it."}
        )
    password = secrets.token_urlsafe(12)
    user = User(username=username, must_change_password=True)
    try:
        user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput({"username": error.messages[0]}) from error
    user.set_password(password)
    user.save()
    return user, password


def _keep_an_administrator(membership: Membership) -> None:
    others = Membership.objects.filter(
        workspace=membership.workspace, role=Role.ADMINISTRATOR
    ).exclude(pk=membership.pk)
    if membership.role == Role.ADMINISTRATOR and not others.exists():
        raise Conflict(
            f"{membership.user.username} is the last administrator of this workspace. "
            "Make somebody else administrator first."
        )
