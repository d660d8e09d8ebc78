"""What a refusal at the last moment says, and where a person can do something about it."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.errors import InvalidInput, SlipwayError
from console.wizard.offer import Offer
from console.wizard.resources import FIELD_OF_CODE
from console.wizard.steps import STEPS


@dataclass(frozen=True)
class Refusal:
    """A sentence, and the link to the field that it is about; empty where there is none."""

    message: str
    url: str = ""


def refusals(error: SlipwayError, offer: Offer) -> list[Refusal]:
    """Return what the operation refused, each with its field."""
    if isinstance(error, InvalidInput):
        found = error.fields.items()
        return [Refusal(message, field_url(offer, field)) for field, message in found]
    return [Refusal(error.message, field_url(offer, FIELD_OF_CODE.get(error.code, "")))]


def field_url(offer: Offer, field: str) -> str:
    """Return the address of a field in its step; empty for what no step asks."""
    for step in STEPS:
        if field in step.form_class.base_fields:
            page = reverse("console:deploy", args=[offer.entry.slug, step.slug])
            return f"{page}#id_{field}"
    return ""
