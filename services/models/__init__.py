"""The tables of what runs, by subject; import them from here."""

from services.models.access import ApiKey
from services.models.catalog import CatalogEntry
from services.models.deployed import Artifact, Instance, Service, Version
from services.models.history import Event
from services.models.places import NAME_RULE, Limit, Node, Region, ResourceGroup, Specification

__all__ = [
    "NAME_RULE",
    "ApiKey",
    "Artifact",
    "CatalogEntry",
    "Event",
    "Instance",
    "Limit",
    "Node",
    "Region",
    "ResourceGroup",
    "Service",
    "Specification",
    "Version",
]
