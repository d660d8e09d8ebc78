"""What things cost: the price in force, and what a service costs now and so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from billing.models import CuInterval, CuPrice
from billing.money import HOURS_A_MONTH, Money
from services.models import ResourceGroup, Service

SECONDS_AN_HOUR = Decimal(3600)


@dataclass(frozen=True)
class Estimate:
    """What a number of CU costs while it runs."""

    hourly: Money

    @property
    def monthly(self) -> Money:
        """Return the price of 720 hours."""
        return self.hourly.times(HOURS_A_MONTH)


def cu_price(kind: str, region_id: int, at: datetime) -> Money | None:
    """Return the price per CU-hour in force, the region's own first; None when none is set."""
    price = (
        CuPrice.objects.filter(kind=kind, valid_from__lte=at)
        .filter(Q(region=region_id) | Q(region=None))
        .order_by("region", "-valid_from")
        .first()
    )
    return Money(price.amount, price.currency) if price else None


def cu_prices(region_id: int, at: datetime) -> dict[str, Money]:
    """Return the price per CU-hour in force for each kind of group in a region, in one query."""
    rows = (
        CuPrice.objects.filter(valid_from__lte=at)
        .filter(Q(region=region_id) | Q(region=None))
        .order_by("region", "-valid_from")
    )
    prices: dict[str, Money] = {}
    for row in rows:
        prices.setdefault(row.kind, Money(row.amount, row.currency))
    return prices


def estimate(group: ResourceGroup, cu: Decimal, at: datetime) -> Estimate | None:
    """Return what `cu` in a group cost an hour, or None where no price is set."""
    price = cu_price(group.kind, group.region_id, at)
    return Estimate(price.times(cu)) if price else None


def cu_hours(service: Service, now: datetime) -> Decimal:
    """Return the CU-hours that a service took so far, exact to the second."""
    return sum_cu_hours(CuInterval.objects.filter(service_id=service.pk), now)


def sum_cu_hours(intervals: Iterable[CuInterval], now: datetime) -> Decimal:
    """Add up intervals; an open one counts until now."""
    total = Decimal(0)
    for interval in intervals:
        seconds = ((interval.ended_at or now) - interval.started_at).total_seconds()
        total += interval.cu * Decimal(str(seconds)) / SECONDS_AN_HOUR
    return total
