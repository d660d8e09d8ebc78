"""The step “Resources”: what the service is called, what it runs on, and how."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from accounts.errors import Conflict, InvalidInput
from console.wizard.forms import Step, StepForm
from runtimes.registry import runtime
from services import operations
from services.environment import from_text, masked
from services.models import NAME_RULE
from services.operations import checks

# The field at which a person can act on a limit; others stand above the form.
FIELD_OF_CODE = {"capacity": "instances", "services_per_group": "group"}
ADVANCED = ("environment", "health_path", "response_timeout", "grace_period", "auth_enabled")
ENVIRONMENT_LENGTH = 100_000


class ResourcesForm(StepForm):
    """Basic Information, Resource Information and Advanced."""

    name = forms.CharField(
        label="Service Name",
        max_length=64,
        validators=[NAME_RULE],
        help_text="Letters, digits, - and _. Unique in this workspace and region.",
    )
    version_name = forms.CharField(
        label="Version Name", max_length=64, initial="v1", validators=[NAME_RULE]
    )
    description = forms.CharField(label="Description", max_length=200, required=False)
    group = forms.ChoiceField(label="Resource Group")
    specification = forms.ChoiceField(
        label="Deployment Specification",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a specification."},
    )
    instances = forms.IntegerField(
        label="Number of Instances",
        initial=1,
        min_value=1,
        help_text="Two or more survive the loss of one.",
    )
    environment = forms.CharField(
        label="Environment Variables",
        required=False,
        max_length=ENVIRONMENT_LENGTH,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="One NAME=value a line.",
    )
    health_path = forms.CharField(
        label="Health Check Path",
        max_length=200,
        help_text="An instance gets requests once this path answers 200.",
    )
    response_timeout = forms.IntegerField(
        label="Response Timeout, s",
        initial=300,
        min_value=1,
        max_value=3600,
        help_text="Until the gateway gives up waiting for an answer.",
    )
    grace_period = forms.IntegerField(
        label="Grace Period, s",
        initial=30,
        min_value=0,
        max_value=3600,
        help_text="For requests under way when an instance is stopped.",
    )
    auth_enabled = forms.BooleanField(label="Require an API key", required=False, initial=True)

    def offer_choices(self) -> None:
        """Offer the groups and specifications there are, the smallest that fits first."""
        choices = {
            "group": [(group.pk, group.name) for group, _ in self.offer.groups],
            "specification": [(size.code, size.code) for size, _ in self.offer.sizes],
        }
        for name, pairs in choices.items():
            cast("forms.ChoiceField", self.fields[name]).choices = pairs
        beginning = {
            "group": self.offer.groups[0][0].pk if self.offer.groups else "",
            "specification": self.offer.first_fitting(),
            "health_path": runtime(self.offer.entry.runtime).health_path,
        }
        for name, value in beginning.items():
            self.fields[name].initial = value

    @property
    def advanced_open(self) -> bool:
        """Say whether the folded part must be seen: it has an error or was changed."""
        return any(
            self[name].errors
            or str(self[name].value() or "") != str(self.fields[name].initial or "")
            for name in ADVANCED
        )

    def clean_name(self) -> str:
        """Refuse a name that another service of the workspace and region has."""
        problems = checks.Problems()
        name = str(self.cleaned_data["name"])
        actor = self.offer.actor
        checks.check_service_name(problems, name, actor.workspace, self.offer.region)
        return self._unless(problems, "name", name)

    def clean_health_path(self) -> str:
        """Refuse what is no path."""
        problems = checks.Problems()
        path = str(self.cleaned_data["health_path"])
        checks.check_health_path(problems, path)
        return self._unless(problems, "health_path", path)

    def clean_environment(self) -> dict[str, str]:
        """Read the lines; refuse names that are not ours to give."""
        try:
            variables = from_text(self.cleaned_data["environment"], {})
        except InvalidInput as error:
            raise ValidationError(error.message) from error
        problems = checks.Problems()
        checks.check_environment(problems, variables)
        self._unless(problems, "environment", "")
        return variables

    def clean(self) -> dict[str, Any]:
        """Ask the operation itself what it would refuse, and say it at the field."""
        if not self.errors:
            plan = operations.DeploymentPlan(
                region=self.offer.region, entry=self.offer.entry, **self.plan_fields()
            )
            try:
                operations.check_plan(self.offer.actor, plan)
            except InvalidInput as error:
                for name, message in error.fields.items():
                    self.add_error(name if name in self.fields else None, message)
            except Conflict as error:
                self.add_error(FIELD_OF_CODE.get(error.code), error.message)
        return self.cleaned_data

    def plan_fields(self) -> dict[str, Any]:
        """Return the plan's fields, with the rows that were chosen."""
        group = self.offer.group(self.cleaned_data["group"])
        size = self.offer.size(self.cleaned_data["specification"])
        if group is None or size is None:
            raise LookupError("The form is not valid.")
        return {**self.cleaned_data, "group": group[0], "specification": size[0]}

    def lines(self) -> list[tuple[str, str, str]]:
        """Return the review's lines; values of variables stay hidden."""
        shown = {
            "group": self.plan_fields()["group"].name,
            "environment": ", ".join(masked(self.cleaned_data["environment"])) or "None",
            "auth_enabled": "Yes" if self.cleaned_data["auth_enabled"] else "No: open to anyone",
            "description": self.cleaned_data["description"] or "None",
        }
        return [(name, label, shown.get(name, value)) for name, label, value in super().lines()]

    def _unless(self, problems: checks.Problems, field: str, value: str) -> str:
        if field in problems.fields:
            raise ValidationError(problems.fields[field])
        return value


class ResourcesStep(Step):
    """The first step with a form."""

    slug = "resources"
    title = "Resources"
    template = "console/wizard/resources.html"
    form_class = ResourcesForm
