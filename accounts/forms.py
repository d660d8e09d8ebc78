"""Forms of accounts."""

import zoneinfo

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from accounts.models import Role


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "This user name and password do not match an account.",
    }


class MemberForm(forms.Form):
    """Somebody to add to the workspace."""

    username = forms.CharField(max_length=150, label="User name")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.DEVELOPER)
    create = forms.BooleanField(
        required=False,
        label="Create the account if there is none",
        help_text="A one-time password is shown after you add the person.",
    )


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)


class ProfileForm(forms.Form):
    """A person's own name and time zone."""

    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    time_zone = forms.ChoiceField(
        required=False,
        choices=lambda: [
            ("", "The browser's"),
            *((zone, zone) for zone in sorted(zoneinfo.available_timezones())),
        ],
    )


class TokenForm(forms.Form):
    """A new access token."""

    name = forms.CharField(max_length=64, help_text="What it is for, such as “nightly job”.")
    expires_at = forms.DateTimeField(
        required=False,
        label="Expires",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="In UTC. Leave it empty for a token that does not expire.",
    )


class SwitchForm(forms.Form):
    """Another workspace or region, and where to go afterwards."""

    workspace = forms.CharField(max_length=24, required=False)
    region = forms.SlugField(max_length=32, required=False)
