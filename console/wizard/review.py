"""What a refusal at the last moment says, and where a person can do something about it."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.errors import InvalidInput, SlipwayError
from console.wizard.offer import Offer
from console.wizard.resources import FIELD_OF_CODE
from console.wizard.steps import STEPS
from services.models import Service
from services.operations import DeploymentPlan


@dataclass(frozen=True)
class Refusal:
    """A sentence, the link to the field that it is about, and to the service that has the name."""

    message: str
    url: str = ""
    existing: str = ""


def refusals(error: SlipwayError, plan: DeploymentPlan, offer: Offer) -> list[Refusal]:
    """Return what the operation refused, each with its field."""
    if isinstance(error, InvalidInput):
        return [
            Refusal(
                message,
                field_url(offer, field),
                service_url(plan.name, offer) if field == "name" else "",
            )
            for field, message in error.fields.items()
        ]
    return [Refusal(error.message, field_url(offer, FIELD_OF_CODE.get(error.code, "")))]


def field_url(offer: Offer, field: str) -> str:
    """Return the address of a field in its step; empty for what no step asks."""
    for step in STEPS:
        if field in step.form_class.base_fields:
            page = reverse("console:deploy", args=[offer.entry.slug, step.slug])
            return f"{page}#id_{field}"
    return ""


def service_url(name: str, offer: Offer) -> str:
    """Return the address of the service that has a name already: perhaps a second click made it."""
    found = Service.objects.filter(
        workspace=offer.actor.workspace, region=offer.region, name=name
    ).first()
    return reverse("services:overview", args=[found.pk]) if found else ""
