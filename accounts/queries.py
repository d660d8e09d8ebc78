"""Reads of accounts: members, tokens, the audit trail."""

from django.db.models import Q, QuerySet

from accounts.access import Actor
from accounts.errors import NotFound
from accounts.models import AccessToken, AuditEntry, Membership, User


def members_of(actor: Actor) -> QuerySet[Membership]:
    """Return the members of the actor's workspace by name."""
    return (
        Membership.objects.filter(workspace=actor.workspace)
        .select_related("user")
        .order_by("user__username")
    )


def get_member(actor: Actor, membership_id: int) -> Membership:
    """Return a member of the actor's workspace; raise NotFound for any other."""
    membership = members_of(actor).filter(pk=membership_id).first()
    if membership is None:
        raise NotFound("There is no such member in this workspace.")
    return membership


def audit_trail(actor: Actor, text: str = "", action: str = "") -> QuerySet[AuditEntry]:
    """Return the workspace's audit lines, newest first."""
    entries = AuditEntry.objects.filter(workspace=actor.workspace)
    if action:
        entries = entries.filter(action=action)
    if text:
        entries = entries.filter(
            Q(actor_name__icontains=text)
            | Q(object_name__icontains=text)
            | Q(object_id__icontains=text)
        )
    return entries


def audit_actions(actor: Actor) -> list[str]:
    """Return the kinds of writes that the workspace's trail holds."""
    actions = AuditEntry.objects.filter(workspace=actor.workspace).order_by("action")
    return list(actions.values_list("action", flat=True).distinct())


def tokens_of(user: User) -> QuerySet[AccessToken]:
    """Return a person's own access tokens."""
    return AccessToken.objects.filter(user=user)


def get_token(user: User, token_id: int) -> AccessToken:
    """Return one of a person's tokens; raise NotFound for anybody else's."""
    token = tokens_of(user).filter(pk=token_id).first()
    if token is None:
        raise NotFound("There is no such access token of yours.")
    return token
