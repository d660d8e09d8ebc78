"""Forms of accounts."""

import functools
import zoneinfo
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField

from accounts.models import Role

LONGEST_PASSWORD = 200
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "It does not expire")]


@functools.cache
def time_zones() -> tuple[str, ...]:
    """Return the names of all time zones; reading them from disk is slow."""
    return tuple(sorted(zoneinfo.available_timezones()))


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "This user name and password do not match an account.",
    }

    username = UsernameField(label="User name", widget=forms.TextInput(attrs={"autofocus": True}))
    # The bound keeps a worker from hashing a password of megabytes.
    password = forms.CharField(
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordForm(forms.Form):
    """A new password; the operation judges it."""

    current = forms.CharField(
        label="Present password",
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="New password",
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="New password, again",
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Compare the two."""
        new, again = self.cleaned_data.get("new"), self.cleaned_data.get("again")
        if new and again and new != again:
            self.add_error("again", "This differs from the new password above.")
        return self.cleaned_data


class MemberForm(forms.Form):
    """Somebody to add to the workspace."""

    username = forms.CharField(
        max_length=150,
        label="User name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.TypedChoiceField(choices=Role.choices, initial=Role.DEVELOPER, coerce=Role)
    create = forms.BooleanField(
        required=False,
        label="Create the account if there is none",
        help_text="A one-time password is shown after you add the person.",
    )


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.TypedChoiceField(choices=Role.choices, coerce=Role)


class ProfileForm(forms.Form):
    """A person's own name and time zone."""

    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    time_zone = forms.ChoiceField(
        required=False,
        choices=lambda: [("", "The browser's"), *((zone, zone) for zone in time_zones())],
        help_text="Times on all pages are shown in it.",
    )


class TokenForm(forms.Form):
    """A new access token."""

    name = forms.CharField(max_length=64, help_text="What it is for, such as “nightly job”.")
    lifetime = forms.ChoiceField(
        choices=LIFETIMES, initial="90", required=False, label="Expires after"
    )

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when the token ends, or None for never."""
        days = self.cleaned_data["lifetime"]
        return now + timedelta(days=int(days)) if days else None


class AuditFilterForm(forms.Form):
    """What to show of the trail."""

    q = forms.CharField(max_length=200, required=False)
    action = forms.CharField(max_length=64, required=False)

    def wanted(self) -> tuple[str, str]:
        """Return text and action; an impossible value narrows nothing."""
        self.is_valid()
        return self.cleaned_data.get("q", ""), self.cleaned_data.get("action", "")
