"""What every form step of the wizard has in common."""

from typing import Any

from django import forms
from django.http import QueryDict

from console.wizard.drafts import Draft
from console.wizard.offer import Offer


class StepForm(forms.Form):
    """One page of the wizard: fields named as those of `DeploymentPlan`."""

    def __init__(self, *args: Any, offer: Offer, **options: Any) -> None:
        super().__init__(*args, **options)
        self.offer = offer
        self.offer_choices()

    def offer_choices(self) -> None:
        """Fill the choices and the values to begin with from the offer."""

    def plan_fields(self) -> dict[str, Any]:
        """Return this page's part of the `DeploymentPlan`; the form must be valid."""
        return dict(self.cleaned_data)

    def lines(self) -> list[tuple[str, str, str]]:
        """Return field, label and value of each line of the review."""
        return [
            (name, str(field.label), str(self.cleaned_data.get(name, "")))
            for name, field in self.fields.items()
        ]


class Step:
    """One page of the wizard: its name in the address, its title, its form and its template."""

    slug: str
    title: str
    template: str
    form_class: type[StepForm]

    def form(self, offer: Offer, draft: Draft) -> StepForm:
        """Return the form as the person left it; with its errors once they have pressed Next."""
        answers = draft.answers(self.slug)
        if answers is None:
            return self.form_class(offer=offer)
        if draft.is_submitted(self.slug):
            return self.checked(offer, draft)
        # An unticked box is missing from what was kept, and must not come back ticked.
        untouched = dict.fromkeys(self.form_class.base_fields, "")
        return self.form_class(offer=offer, initial={**untouched, **answers})

    def checked(self, offer: Offer, draft: Draft) -> StepForm:
        """Return the form bound to what was kept, so that it can be validated."""
        data = QueryDict(mutable=True)
        data.update(draft.answers(self.slug) or {})
        return self.form_class(data, offer=offer)
