"""What people choose above the lists, read leniently: a value that cannot be is no filter."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms

from runtimes.registry import RUNTIMES
from services.models import CatalogEntry, ResourceGroup
from services.queries import SORTS, ServiceFilter
from services.states import LOOKS

SIZES = (25, 50, 100)
MODEL_SORTS = {"": "Fitting first", "name": "Name", "parameters": "Parameters", "memory": "Memory"}
FITS = {"": "All", "yes": "Fits here", "no": "Does not fit"}


class FilterForm(forms.Form):
    """Base of the filters: `chosen` returns what is valid and a default for the rest."""

    def chosen(self, name: str) -> str:
        """Return a field's value; empty when it is missing or cannot be."""
        self.is_valid()
        return str(self.cleaned_data.get(name) or "")


def _choices(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[str, str]]:
    return [("", "All"), *((str(value), str(label)) for value, label in pairs)]


class ServiceListForm(FilterForm):
    """Search, filters, sorting and page size of the service list."""

    q = forms.CharField(label="Name, id, model", required=False, max_length=100)
    status = forms.ChoiceField(
        label="Status",
        required=False,
        choices=_choices((s, look.label) for s, look in LOOKS.items()),
    )
    type = forms.ChoiceField(
        label="Type", required=False, choices=_choices(CatalogEntry.ServiceType.choices)
    )
    group = forms.ChoiceField(label="Group", required=False)
    sort = forms.ChoiceField(
        required=False, choices=[(sign + key, key) for key in SORTS for sign in ("", "-")]
    )
    size = forms.ChoiceField(required=False, choices=[(str(n), str(n)) for n in SIZES])

    def __init__(self, *args: Any, groups: Iterable[ResourceGroup], **options: Any) -> None:
        super().__init__(*args, **options)
        choices = _choices((group.pk, group.name) for group in groups)
        cast("forms.ChoiceField", self.fields["group"]).choices = choices

    @property
    def wanted(self) -> ServiceFilter:
        """Return the filter for the query."""
        return ServiceFilter(
            text=self.chosen("q"),
            status=self.chosen("status"),
            service_type=self.chosen("type"),
            group=self.chosen("group"),
            sort=self.chosen("sort") or "-created",
        )

    @property
    def page_size(self) -> int:
        """Return how many rows a page has."""
        return int(self.chosen("size") or SIZES[0])

    @property
    def narrows(self) -> bool:
        """Say whether any filter is set."""
        return any(self.chosen(name) for name in ("q", "status", "type", "group"))


class ModelListForm(FilterForm):
    """Search, filters and sorting of the Model List."""

    q = forms.CharField(label="Name, publisher, family", required=False, max_length=100)
    task = forms.ChoiceField(
        label="Task", required=False, choices=_choices(CatalogEntry.Task.choices)
    )
    runtime = forms.ChoiceField(
        label="Runtime",
        required=False,
        choices=_choices(sorted({(r.label, r.label) for r in RUNTIMES.values()})),
    )
    fits = forms.ChoiceField(label="Fit", required=False, choices=list(FITS.items()))
    sort = forms.ChoiceField(label="Sort", required=False, choices=list(MODEL_SORTS.items()))

    @property
    def narrows(self) -> bool:
        """Say whether any filter is set."""
        return any(self.chosen(name) for name in ("q", "task", "runtime", "fits"))
