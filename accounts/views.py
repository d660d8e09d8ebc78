"""Pages of accounts: sign-in, password, profile, members, tokens, audit trail."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import once, operations, queries
from accounts.errors import InvalidInput
from accounts.forms import (
    AuditFilterForm,
    MemberForm,
    PasswordForm,
    ProfileForm,
    RoleForm,
    SignInForm,
    TokenForm,
)
from accounts.models import Role
from accounts.requests import SignedInRequest, person_of, require_actor

AUDIT_PAGE = 50


def _data(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


class SignIn(auth_views.LoginView):
    """The way in; axes counts failures."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


def locked_out(request: HttpRequest, _response: Any = None, *_: Any) -> HttpResponse:
    """Say how long to wait after too many failed sign-ins."""
    seconds = round(float(settings.AXES_COOLOFF_TIME) * 3600)
    context = {"minutes": seconds // 60, "tries": settings.AXES_FAILURE_LIMIT}
    response = render(request, "accounts/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def apply_errors(form: Form, error: InvalidInput) -> None:
    """Put an operation's messages at the form's fields."""
    for field, message in error.fields.items():
        form.add_error(field if field in form.fields else None, message)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def password(request: SignedInRequest) -> HttpResponse:
    """A new password; the rules are on the page before the first try."""
    form = PasswordForm(_data(request))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            operations.change_password(person_of(request), current=data["current"], new=data["new"])
        except InvalidInput as error:
            apply_errors(form, error)
        else:
            update_session_auth_hash(request, request.user)
            messages.success(request, "Your password is changed.")
            return redirect("accounts:profile" if request.actor is None else "console:home")
    context = {"form": form, "rules": password_validators_help_texts()}
    return render(request, "accounts/password.html", context)


@require_http_methods(["GET", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    """Name and time zone."""
    user = request.user
    initial = {"first_name": user.first_name, "last_name": user.last_name}
    form = ProfileForm(_data(request), initial={**initial, "time_zone": user.time_zone})
    if request.method == "POST" and form.is_valid():
        operations.update_profile(person_of(request), **form.cleaned_data)
        messages.success(request, "Your profile is saved.")
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form})


@never_cache
@require_http_methods(["GET", "POST"])
def members(request: SignedInRequest) -> HttpResponse:
    """The members of the workspace, and a form to add one."""
    actor = require_actor(request)
    form = MemberForm(_data(request))
    if request.method == "POST" and form.is_valid() and _member_added(request, form):
        return redirect("accounts:members")
    context = {
        "form": form,
        "added": once.take(request, "member"),
        "members": queries.members_of(actor),
        "roles": Role.choices,
        "may_manage": actor.may(Role.ADMINISTRATOR),
    }
    return render(request, "accounts/members.html", context)


def _member_added(request: SignedInRequest, form: MemberForm) -> bool:
    try:
        added = operations.add_member(require_actor(request), **form.cleaned_data)
    except InvalidInput as error:
        apply_errors(form, error)
        return False
    name = added.membership.user.username
    if added.password:
        once.keep(request, "member", {"username": name, "password": added.password})
    else:
        role = added.membership.get_role_display().lower()
        messages.success(request, f"{name} is {role} of this workspace now.")
    return True


@require_POST
def member_role(request: SignedInRequest, membership_id: int) -> HttpResponse:
    """Change a member's role."""
    actor = require_actor(request)
    membership = queries.get_member(actor, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise InvalidInput({"role": "Choose one of the roles."})
    operations.change_role(actor, membership, form.cleaned_data["role"])
    name = membership.user.username
    messages.success(request, f"{name} is {membership.get_role_display().lower()} now.")
    return redirect("accounts:members")


@require_POST
def member_remove(request: SignedInRequest, membership_id: int) -> HttpResponse:
    """Remove a member."""
    actor = require_actor(request)
    membership = queries.get_member(actor, membership_id)
    operations.remove_member(actor, membership)
    messages.success(request, f"{membership.user.username} is not a member any more.")
    return redirect("accounts:profile" if membership.user == request.user else "accounts:members")


@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    """A person's access tokens; a new one is shown once."""
    form = TokenForm(_data(request))
    if request.method == "POST" and form.is_valid() and _token_made(request, form):
        return redirect("accounts:tokens")
    context = {
        "form": form,
        "made": once.take(request, "token"),
        "tokens": queries.tokens_of(request.user),
        "now": timezone.now(),
    }
    return render(request, "accounts/tokens.html", context)


def _token_made(request: SignedInRequest, form: TokenForm) -> bool:
    now = timezone.now()
    name, expires_at = form.cleaned_data["name"], form.expires_at(now)
    try:
        made = operations.create_token(
            person_of(request), name=name, expires_at=expires_at, now=now
        )
    except InvalidInput as error:
        apply_errors(form, error)
        return False
    once.keep(request, "token", {"name": made.token.name, "secret": made.secret})
    return True


@require_POST
def token_revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    """Revoke one of the person's tokens."""
    token = queries.get_token(request.user, token_id)
    operations.revoke_token(person_of(request), token)
    messages.success(request, f"{token.name} is revoked.")
    return redirect("accounts:tokens")


@require_GET
def audit(request: SignedInRequest) -> HttpResponse:
    """Who did what, newest first."""
    actor = require_actor(request)
    text, action = AuditFilterForm(request.GET).wanted()
    entries = queries.audit_trail(actor, text, action)
    page = Paginator(entries, AUDIT_PAGE).get_page(request.GET.get("page"))
    actions = queries.audit_actions(actor)
    context = {"page": page, "q": text, "action": action, "actions": actions}
    return render(request, "accounts/audit.html", context)
