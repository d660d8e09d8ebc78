"""The steps in their order, and the plan that comes of them."""

from collections.abc import Sequence
from typing import Any

from console.wizard.drafts import Draft
from console.wizard.forms import Step, StepForm
from console.wizard.offer import Offer
from console.wizard.resources import ResourcesStep
from services.operations import DeploymentPlan

STEPS: Sequence[Step] = (ResourcesStep(),)
REVIEW = "review"


def find_step(slug: str) -> Step | None:
    """Return the form step of this name."""
    return next((step for step in STEPS if step.slug == slug), None)


def following(slug: str) -> str:
    """Return the name of the step after this one; the last is the review."""
    slugs = [*(step.slug for step in STEPS), REVIEW]
    return slugs[slugs.index(slug) + 1]


def title(slug: str) -> str:
    """Return what a step, or the review, is called."""
    step = find_step(slug)
    return step.title if step else "Review"


def checked_forms(offer: Offer, draft: Draft) -> list[tuple[Step, StepForm]]:
    """Return every step's form, bound to what was filled in."""
    return [(step, step.checked(offer, draft)) for step in STEPS]


def first_unfinished(forms: Sequence[tuple[Step, StepForm]]) -> str:
    """Return the name of the first step that is not valid; empty when all are."""
    return next((step.slug for step, form in forms if not form.is_valid()), "")


def plan(offer: Offer, forms: Sequence[tuple[Step, StepForm]]) -> DeploymentPlan:
    """Put the steps' answers together; every form must be valid."""
    fields: dict[str, Any] = {}
    for _, form in forms:
        fields |= form.plan_fields()
    return DeploymentPlan(region=offer.region, entry=offer.entry, **fields)
