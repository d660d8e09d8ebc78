"""Forms on the pages of one service; the operations check again and have the last word."""

from typing import Any, cast

from django import forms

from accounts.errors import InvalidInput
from services import environment
from services.models import NAME_RULE, Event, Service, Specification
from services.operations import Modification, changed


class RenameForm(forms.Form):
    """A service's new name."""

    name = forms.CharField(
        max_length=64, validators=[NAME_RULE], help_text="1 to 64 letters, digits, - and _."
    )


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        max_length=64,
        validators=[NAME_RULE],
        help_text="Name the application that will call with it: 1 to 64 letters, digits, - and _.",
    )
    expires_at = forms.DateTimeField(
        label="Expires",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Empty: never.",
    )


class DeleteForm(forms.Form):
    """The name typed to confirm, and a tick when the service answers requests."""

    confirmation = forms.CharField(
        label="Type the service's name",
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    even_if_running = forms.BooleanField(
        required=False, label="Delete it although it is running; its callers fail at once."
    )


class EventFilterForm(forms.Form):
    """Which events to show."""

    level = forms.ChoiceField(required=False, choices=[("", "All levels"), *Event.Level.choices])
    text = forms.CharField(
        required=False, max_length=100, widget=forms.TextInput(attrs={"type": "search"})
    )


class SpecificationField(forms.ModelChoiceField):
    """A choice of specifications that shows their sizes."""

    def label_from_instance(self, obj: Specification) -> str:
        """Return the label of one choice."""
        return specification_label(obj)


class ModifyForm(forms.Form):
    """All that can be changed of a service without deploying it anew."""

    name = forms.CharField(max_length=64, validators=[NAME_RULE], label="Service name")
    description = forms.CharField(max_length=200, required=False)
    specification = SpecificationField(
        queryset=Specification.objects.none(),
        label="Deployment specification",
        to_field_name="code",
        empty_label=None,
    )
    instances = forms.IntegerField(min_value=1, max_value=128, label="Number of instances")
    environment = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "font-monospace"}),
        label="Environment variables",
        help_text=f"One NAME=value a line. {environment.MASK} keeps the present value.",
    )
    response_timeout = forms.IntegerField(min_value=1, max_value=3600, label="Response timeout, s")
    grace_period = forms.IntegerField(
        min_value=0,
        max_value=3600,
        label="Grace period, s",
        help_text="How long an instance may finish its requests before it is stopped.",
    )

    def __init__(self, data: Any = None, *, service: Service) -> None:
        self.service = service
        present = changed(service)
        super().__init__(
            data,
            initial={
                "name": present.name,
                "description": present.description,
                "specification": present.specification.code,
                "instances": present.instances,
                "environment": environment.as_text(present.environment),
                "response_timeout": present.response_timeout,
                "grace_period": present.grace_period,
            },
        )
        choices = Specification.objects.filter(enabled=True) | Specification.objects.filter(
            pk=present.specification.pk
        )
        field = cast("SpecificationField", self.fields["specification"])
        field.queryset = choices

    def clean_environment(self) -> dict[str, str]:
        """Return the variables, with the present values where the form shows them masked."""
        present = changed(self.service).environment
        try:
            return environment.from_text(self.cleaned_data["environment"], present)
        except InvalidInput as error:
            raise forms.ValidationError(error.fields["environment"]) from error

    def modification(self) -> Modification:
        """Return what a valid form asks for."""
        return Modification(**self.cleaned_data)


def specification_label(specification: Specification) -> str:
    """Return a specification with its sizes, such as `cpu.2 · 2 vCPU, 8 GiB, 2 CU`."""
    gpus = f", {specification.gpus} GPU" if specification.gpus else ""
    return (
        f"{specification.code} · {specification.vcpu.normalize():f} vCPU, "
        f"{specification.memory_mib / 1024:g} GiB{gpus}, {specification.cu.normalize():f} CU"
    )
