"""From the shipped data file to rows of the catalog."""

import tomllib
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction

from runtimes.registry import runtime
from services.catalog.signature import read_signature
from services.catalog.sources.bundled import SHIPPED
from services.models import CatalogEntry

ENTRIES = Path(__file__).with_name("entries.toml")


@transaction.atomic
def load_entries(path: Path = ENTRIES) -> list[CatalogEntry]:
    """Create or refresh the shipped entries; what administrators made or switched off stays.

    An entry that the file no longer has is switched off, because services may still run it.
    Raises ImproperlyConfigured, naming the entry, when the file is wrong.
    """
    loaded = []
    for facts in tomllib.loads(path.read_text())["entry"]:
        entry = CatalogEntry.objects.filter(slug=facts["slug"]).first()
        if entry is not None and not entry.shipped:
            continue
        loaded.append(_save(entry or CatalogEntry(shipped=True), facts))
    gone = CatalogEntry.objects.filter(shipped=True).exclude(pk__in=[entry.pk for entry in loaded])
    gone.update(enabled=False)
    return loaded


def _save(entry: CatalogEntry, facts: dict[str, Any]) -> CatalogEntry:
    known = {field.name for field in CatalogEntry._meta.get_fields()}
    if unknown := facts.keys() - known:
        raise ImproperlyConfigured(f"{facts['slug']}: no such field {', '.join(sorted(unknown))}.")
    values = {"service_type": CatalogEntry.ServiceType.MODEL, **facts}
    if facts["source"].startswith("shipped:"):
        values["signature"] = read_signature(SHIPPED / facts["source"].partition(":")[2])
    for name, value in values.items():
        setattr(entry, name, value)
    try:
        entry.full_clean()
    except ValidationError as error:
        raise ImproperlyConfigured(f"{facts['slug']}: {error}") from error
    if entry.task not in runtime(entry.runtime).tasks:
        raise ImproperlyConfigured(f"{entry.slug}: {entry.runtime} does not serve {entry.task}.")
    entry.save()
    return entry
