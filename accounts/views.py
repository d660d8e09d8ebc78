"""Pages of accounts: sign-in, password, profile, members, tokens, audit trail."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import operations, queries
from accounts.errors import InvalidInput
from accounts.forms import MemberForm, ProfileForm, RoleForm, SignInForm, TokenForm
from accounts.models import Role, User
from accounts.requests import SignedInRequest, require_actor

AUDIT_PAGE = 50


class SignIn(auth_views.LoginView):
    """The way in; axes counts failures."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class PasswordChange(auth_views.PasswordChangeView):
    """A new password; the rules are on the page before the first try."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("console:home")

    def form_valid(self, form: Any) -> HttpResponse:
        """Store it, and lift the demand to change it."""
        response = super().form_valid(form)
        User.objects.filter(pk=self.request.user.pk).update(must_change_password=False)
        messages.success(self.request, "Your password is changed.")
        return response


def locked_out(request: HttpRequest, _response: Any = None, *_: Any) -> HttpResponse:
    """Say how long to wait after too many failed sign-ins."""
    context = {"minutes": round(float(settings.AXES_COOLOFF_TIME) * 60)}
    return render(request, "accounts/locked_out.html", context, status=429)


def apply_errors(form: Form, error: InvalidInput) -> None:
    """Put an operation's messages at the form's fields."""
    for field, message in error.fields.items():
        form.add_error(field if field in form.fields else None, message)


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    """Name and time zone."""
    user = request.user
    initial = {"first_name": user.first_name, "last_name": user.last_name}
    form = ProfileForm(request.POST or None, initial={**initial, "time_zone": user.time_zone})
    if request.method == "POST" and form.is_valid():
        operations.update_profile(require_actor(request), **form.cleaned_data)
        messages.success(request, "Your profile is saved.")
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form})


@login_required
@require_http_methods(["GET", "POST"])
def members(request: SignedInRequest) -> HttpResponse:
    """The members of the workspace, and a form to add one."""
    actor = require_actor(request)
    form = MemberForm(request.POST or None)
    added = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            added = operations.add_member(
                actor, username=data["username"], role=Role(data["role"]), create=data["create"]
            )
            form = MemberForm()
        except InvalidInput as error:
            apply_errors(form, error)
    context = {"form": form, "added": added, "members": queries.members_of(actor), "roles": Role}
    may_manage = actor.may(Role.ADMINISTRATOR)
    return render(request, "accounts/members.html", {**context, "may_manage": may_manage})


@login_required
@require_POST
def member_role(request: SignedInRequest, membership_id: int) -> HttpResponse:
    """Change a member's role."""
    actor = require_actor(request)
    membership = queries.get_member(actor, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise InvalidInput({"role": "Choose one of the roles."})
    operations.change_role(actor, membership, Role(form.cleaned_data["role"]))
    name = membership.user.username
    messages.success(request, f"{name} is {membership.get_role_display().lower()} now.")
    return redirect("accounts:members")


@login_required
@require_POST
def member_remove(request: SignedInRequest, membership_id: int) -> HttpResponse:
    """Remove a member."""
    actor = require_actor(request)
    membership = queries.get_member(actor, membership_id)
    operations.remove_member(actor, membership)
    messages.success(request, f"{membership.user.username} is not a member any more.")
    return redirect("accounts:members")


@login_required
@require_http_methods(["GET", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    """A person's access tokens; a new one is shown once."""
    form = TokenForm(request.POST or None)
    made = None
    if request.method == "POST" and form.is_valid():
        actor = require_actor(request)
        try:
            made = operations.create_token(actor, **form.cleaned_data, now=timezone.now())
            form = TokenForm()
        except InvalidInput as error:
            apply_errors(form, error)
    context = {"form": form, "made": made, "tokens": queries.tokens_of(request.user)}
    return render(request, "accounts/tokens.html", context)


@login_required
@require_POST
def token_revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    """Revoke one of the person's tokens."""
    token = queries.get_token(request.user, token_id)
    operations.revoke_token(require_actor(request), token)
    messages.success(request, f"{token.name} is revoked.")
    return redirect("accounts:tokens")


@login_required
@require_GET
def audit(request: SignedInRequest) -> HttpResponse:
    """Who did what, newest first."""
    actor = require_actor(request)
    text, action = request.GET.get("q", "").strip(), request.GET.get("action", "")
    entries = queries.audit_trail(actor, text.replace("\x00", ""), action.replace("\x00", ""))
    page = Paginator(entries, AUDIT_PAGE).get_page(request.GET.get("page"))
    actions = queries.audit_actions(actor)
    context = {"page": page, "q": text, "action": action, "actions": actions}
    return render(request, "accounts/audit.html", context)
