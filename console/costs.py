"""What rows of services cost at this moment; joins the CU that they take with prices."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.money import Money
from services.capacity import Balance
from services.models import ResourceGroup
from services.queries import ListedService
from services.states import LOOKS, Desired, Look, Status


@dataclass(frozen=True)
class CostedService:
    """A row of the list; `hourly` is None while it takes nothing or where no price is set."""

    service: ListedService
    hourly: Money | None

    @property
    def look(self) -> Look:
        """Return how its status is shown."""
        return LOOKS[Status(self.service.status)]

    @property
    def startable(self) -> bool:
        """Say whether Start, not Stop, is what a person can do with it."""
        service = self.service
        return service.desired == Desired.STOPPED or service.status == Status.FAILED


def hourly_costs(
    services: Iterable[ListedService], prices: Mapping[str, Money]
) -> list[CostedService]:
    """Pair listed services with their price per hour."""
    return [CostedService(s, _cost(s.group, s.charged_cu, prices)) for s in services]


@dataclass(frozen=True)
class GroupUse:
    """A resource group's CU and what the workspace's part of it costs at this moment."""

    group: ResourceGroup
    balance: Balance
    hourly: Money | None

    @property
    def percent(self) -> int:
        """Return the share of the group's CU that is held; a little is never shown as nothing."""
        limit = self.balance.limit
        return min(math.ceil(self.balance.used * 100 / limit), 100) if limit else 100


def group_uses(
    groups: Iterable[tuple[ResourceGroup, Balance]],
    charged: Mapping[str, Decimal],
    prices: Mapping[str, Money],
) -> list[GroupUse]:
    """Pair groups with the price per hour of the CU that are charged in them."""
    return [
        GroupUse(group, balance, _cost(group, charged.get(group.pk, Decimal(0)), prices))
        for group, balance in groups
    ]


def total(costs: Iterable[Money | None]) -> Money | None:
    """Add up what has a price; None when nothing has."""
    result: Money | None = None
    for cost in costs:
        if cost is not None:
            result = cost if result is None else result + cost
    return result


def _cost(group: ResourceGroup, cu: Decimal, prices: Mapping[str, Money]) -> Money | None:
    price = prices.get(group.kind)
    return price.times(cu) if price and cu else None
