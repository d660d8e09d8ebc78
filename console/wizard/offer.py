"""What a workspace can choose from for one model in one region, read once for a page."""

from dataclasses import dataclass
from typing import Self

from accounts.access import Actor
from accounts.errors import NotFound
from runtimes.registry import runtime
from services.capacity import Balance
from services.catalog.fit import Fit
from services.limits import Overrides, limit_value, overrides
from services.models import CatalogEntry, Limit, Region, ResourceGroup, Service, Specification
from services.queries import groups_of, specification_fits


@dataclass(frozen=True)
class Offer:
    """The choices of the wizard, with what speaks against each."""

    actor: Actor
    region: Region
    entry: CatalogEntry
    groups: list[tuple[ResourceGroup, Balance]]
    sizes: list[tuple[Specification, Fit]]
    limits: Overrides

    @classmethod
    def load(cls, actor: Actor, region: Region, slug: str) -> Self:
        """Read the choices for a model; raise NotFound for one that is not offered."""
        entry = CatalogEntry.objects.filter(slug=slug, enabled=True).first()
        if entry is None:
            raise NotFound("The catalog has no such model, or it is not offered any more.")
        return cls(
            actor=actor,
            region=region,
            entry=entry,
            groups=groups_of(actor, region),
            sizes=specification_fits(entry, region),
            limits=overrides(*Limit.Code),
        )

    @property
    def most_instances(self) -> int:
        """Return how many instances a service may have."""
        code = Limit.Code.INSTANCES_PER_SERVICE
        return limit_value(code, workspace=self.actor.workspace, known=self.limits)

    @property
    def runtime(self) -> str:
        """Return what the model's runtime is called."""
        return runtime(self.entry.runtime).label

    def group(self, pk: str) -> tuple[ResourceGroup, Balance] | None:
        """Return a group on offer and its balance."""
        return next((pair for pair in self.groups if pair[0].pk == pk), None)

    def size(self, code: str) -> tuple[Specification, Fit] | None:
        """Return a specification on offer and its verdict."""
        return next((pair for pair in self.sizes if pair[0].code == code), None)

    def first_fitting(self) -> str:
        """Return the code of the smallest specification that fits; empty for none."""
        return next((size.code for size, fit in self.sizes if fit.ok), "")

    def services_left(self, group: ResourceGroup) -> tuple[int, int]:
        """Return how many services the group can still take, and its limit."""
        limit = limit_value(Limit.Code.SERVICES_PER_GROUP, group=group, known=self.limits)
        return max(limit - group.services.count(), 0), limit

    def services_left_in_workspace(self) -> tuple[int, int]:
        """Return how many services the workspace can still have in the region, and its limit."""
        workspace = self.actor.workspace
        code = Limit.Code.SERVICES_PER_WORKSPACE
        limit = limit_value(code, workspace=workspace, known=self.limits)
        here = Service.objects.filter(workspace=workspace, region=self.region).count()
        return max(limit - here, 0), limit
