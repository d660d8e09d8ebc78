"""CU of a resource group: what is held, what is left. An instance holds its CU while its row lives.

Whoever is about to add instances calls `locks.lock_group` first, in the same transaction, so that
two people cannot take the last CU.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from accounts.errors import LimitReached
from services.models import Instance, ResourceGroup


@dataclass(frozen=True)
class Balance:
    """CU of a group: its limit and what instances hold."""

    limit: Decimal
    used: Decimal

    @property
    def left(self) -> Decimal:
        """Return the CU that can still be taken, never below zero."""
        return max(self.limit - self.used, Decimal(0))


def balance(group: ResourceGroup) -> Balance:
    """Return what a group has and what is held of it."""
    return balances([group])[group.pk]


def balances(groups: Iterable[ResourceGroup]) -> dict[str, Balance]:
    """Return the balance of each group, by id, in one query."""
    by_id = {group.pk: group for group in groups}
    held = dict(
        Instance.objects.filter(version__service__group__in=by_id)
        .values_list("version__service__group")
        .annotate(total=Sum("cu"))
    )
    return {
        pk: Balance(limit=group.cu_limit, used=held.get(pk) or Decimal(0))
        for pk, group in by_id.items()
    }


def check_capacity(group: ResourceGroup, wanted: Decimal) -> None:
    """Raise LimitReached with the shortfall unless the group has this many CU left."""
    now = balance(group)
    if wanted > now.left:
        raise LimitReached(
            f"This needs {wanted.normalize():f} CU; {group.name} has {now.left.normalize():f} of "
            f"{now.limit.normalize():f} CU left. Stop a service, choose fewer or smaller "
            "instances, or ask an operator to raise the group's CU limit.",
            code="capacity",
        )
