"""Which image and which model's files a version needs."""

from runtimes.registry import runtime
from services.catalog.prepare import model_key
from services.models import Artifact, Version

Key = tuple[str, str]


def keys(version: Version) -> list[Key]:
    """Return kind and key of each artifact that a version needs."""
    entry = version.entry
    chosen = runtime(entry.runtime)
    image = chosen.reference or chosen.image_name
    return [(Artifact.Kind.IMAGE, image), (Artifact.Kind.MODEL, model_key(entry))]


def needed(version: Version) -> list[Artifact]:
    """Return the artifacts of a version in its region, creating the rows that are missing."""
    region, wanted = version.service.region, keys(version)
    rows = Artifact.objects.filter(region=region, key__in=[key for _, key in wanted])
    found = {(row.kind, row.key): row for row in rows}
    return [
        found.get((kind, key))
        or Artifact.objects.get_or_create(region=region, kind=kind, key=key)[0]
        for kind, key in wanted
    ]
