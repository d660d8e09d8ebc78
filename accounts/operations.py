"""The verbs of accounts: members, tokens, passwords; each leaves an audit line."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import audit
from accounts.access import Actor, Person
from accounts.errors import Conflict, InvalidInput, NotFound
from accounts.models import AccessToken, Membership, Role, User, Workspace

PREFIX = "slp_"
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
        _lock(actor.workspace)
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
        _lock(actor.workspace)
        _read_again(actor, membership)
        if role != Role.ADMINISTRATOR:
            _keep_an_administrator(membership)
        before, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        audit.record(actor, "member.role", membership.user, before=before, after=role)


def remove_member(actor: Actor, membership: Membership) -> None:
    """Take a person out of the workspace; what they made stays."""
    actor.require(Role.ADMINISTRATOR, "remove members")
    with transaction.atomic():
        _lock(actor.workspace)
        _read_again(actor, membership)
        _keep_an_administrator(membership)
        audit.record(actor, "member.remove", membership.user, role=membership.role)
        membership.delete()


def create_token(
    person: Person, *, name: str, expires_at: datetime | None, now: datetime
) -> NewToken:
    """Make an access token of the person's own; only its digest is kept."""
    problems = {}
    if not 0 < len(name.strip()) <= LONGEST_TOKEN_NAME:
        problems["name"] = f"Enter a name of 1 to {LONGEST_TOKEN_NAME} characters."
    if expires_at is not None and expires_at <= now:
        problems["expires_at"] = "Choose a time in the future, or none."
    if problems:
        raise InvalidInput(problems)
    if person.user.access_tokens.count() >= MOST_TOKENS:
        raise Conflict(f"You have {MOST_TOKENS} tokens; revoke one that is not used.")
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = AccessToken.objects.create(
            user=person.user,
            name=name.strip(),
            digest=token_digest(secret),
            hint=secret[-4:],
            expires_at=expires_at,
            created_at=now,
        )
        audit.record(person, "token.create", token)
    return NewToken(token, secret)


def revoke_token(person: Person, token: AccessToken) -> None:
    """Revoke one of the person's access tokens for good; raise NotFound for another's."""
    if token.user_id != person.user.pk:
        raise NotFound("There is no such access token of yours.")
    with transaction.atomic():
        audit.record(person, "token.revoke", token)
        token.delete()


def token_digest(secret: str) -> str:
    """Return what is stored of an access token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def update_profile(person: Person, *, first_name: str, last_name: str, time_zone: str) -> None:
    """Change a person's own name and time zone."""
    user = person.user
    user.first_name, user.last_name, user.time_zone = first_name, last_name, time_zone
    with transaction.atomic():
        user.save(update_fields=["first_name", "last_name", "time_zone"])
        audit.record(person, "profile.update", user)


def change_password(person: Person, *, current: str, new: str) -> None:
    """Give a person the password of their choice, and lift the demand to change it."""
    user = person.user
    if not user.check_password(current):
        raise InvalidInput({"current": "This is not your present password."})
    if new == current:
        raise InvalidInput({"new": "Choose another password than the present one."})
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise InvalidInput({"new": " ".join(error.messages)}) from error
    user.set_password(new)
    user.must_change_password = False
    with transaction.atomic():
        user.save(update_fields=["password", "must_change_password"])
        audit.record(person, "password.change", user)


def _lock(workspace: Workspace) -> None:
    """Let one change of a workspace's members happen at a time."""
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def _read_again(actor: Actor, membership: Membership) -> None:
    """Read a member as they are under the lock; raise NotFound when they are gone or elsewhere."""
    present = Membership.objects.filter(pk=membership.pk, workspace=actor.workspace).first()
    if present is None:
        raise NotFound("There is no such member in this workspace.")
    membership.role = present.role


def _find_or_create(username: str, *, create: bool) -> tuple[User, str]:
    # Olga and olga are one person to people; the exact name comes first where both exist.
    found = User.objects.filter(username__iexact=username)
    user = found.filter(username=username).first() or found.first()
    if user is None:
        return _create(username, create=create)
    if not user.is_active:
        raise InvalidInput({"username": "This account is closed; an operator can open it again."})
    return user, ""


def _create(username: str, *, create: bool) -> tuple[User, str]:
    if not create:
        raise InvalidInput(
            {"username": "Nobody has this user name. Tick “Create the account” to make it."}
        )
    password = secrets.token_urlsafe(12)
    user = User(username=username, must_change_password=True)
    user.set_password(password)
    try:
        user.full_clean()
        with transaction.atomic():
            user.save()
    except ValidationError as error:
        raise InvalidInput({"username": error.messages[0]}) from error
    except IntegrityError as error:
        raise Conflict(f"{username} was created a moment ago; add them again.") from error
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
