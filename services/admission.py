"""May this start? Apps above add their checks here, so that services need not know them.

A check gets the request and raises an error of `accounts.errors` to refuse it. All run inside the
transaction of the change, after the group is locked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from accounts.access import Actor
from services.models import CatalogEntry, ResourceGroup, Service, Specification


@dataclass(frozen=True)
class AdmissionRequest:
    """Instances that somebody wants to add to a group; `service` is None for a new one."""

    actor: Actor
    group: ResourceGroup
    entry: CatalogEntry
    specification: Specification
    instances: int
    service: Service | None = None

    @property
    def cu(self) -> Decimal:
        """Return the CU that the instances would hold together."""
        return self.specification.cu * self.instances


Check = Callable[[AdmissionRequest], None]
_checks: list[Check] = []


def register(check: Check) -> Check:
    """Add a check; for use in an app's `ready`."""
    if check not in _checks:
        _checks.append(check)
    return check


def admit(request: AdmissionRequest) -> None:
    """Run every check; the first refusal is raised."""
    for check in _checks:
        check(request)
