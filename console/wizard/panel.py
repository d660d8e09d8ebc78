"""“Before you deploy”: what the choices so far would take, cost and come up against."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.queries import Estimate, estimate
from console.wizard.offer import Offer
from services.capacity import Balance
from services.catalog.fit import Fit
from services.models import ResourceGroup, Specification

GIB = 1024


class Level(StrEnum):
    """How a line of the panel is marked."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True)
class Line:
    """One finding, in words."""

    level: Level
    text: str


@dataclass(frozen=True)
class Panel:
    """Total Occupancy and its consequences; None where a choice is missing."""

    lines: tuple[Line, ...]
    specification: Specification | None = None
    instances: int | None = None
    balance: Balance | None = None
    cost: Estimate | None = None

    @property
    def cu(self) -> Decimal | None:
        """Return the Total Occupancy: specification × instances."""
        if self.specification is None or self.instances is None:
            return None
        return self.specification.cu * self.instances

    @property
    def left_after(self) -> Decimal | None:
        """Return what the group would have left; negative when it has too little."""
        if self.cu is None or self.balance is None:
            return None
        return self.balance.left - self.cu

    @property
    def refused(self) -> bool:
        """Say whether anything speaks against deploying."""
        return any(line.level is Level.BAD for line in self.lines)


def build_panel(offer: Offer, answers: Mapping[str, str], now: datetime) -> Panel:
    """Work the panel out of what is typed at the moment, right or wrong."""
    group = offer.group(answers.get("group", ""))
    size = offer.size(answers.get("specification", ""))
    count = _whole(answers.get("instances", ""), offer.most_instances)
    cost = None
    if group and size and count:
        cost = estimate(group[0], size[0].cu * count, now)
    panel = Panel(
        lines=(),
        specification=size[0] if size else None,
        instances=count,
        balance=group[1] if group else None,
        cost=cost,
    )
    lines = (*_about_size(offer, size), *_about_count(panel, offer), *_about_room(offer, group))
    return Panel(
        lines=(*lines, *_about_access(answers)),
        specification=panel.specification,
        instances=count,
        balance=panel.balance,
        cost=cost,
    )


def _whole(text: str, most: int) -> int | None:
    text = text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)):
        return None
    return int(text) if 1 <= int(text) <= most else None


def _about_size(offer: Offer, size: tuple[Specification, Fit] | None) -> Iterator[Line]:
    if offer.region.problem:
        yield Line(Level.BAD, f"The region does not answer: {offer.region.problem}")
    if size is None:
        yield Line(Level.BAD, "Choose a specification")
        return
    specification, fit = size
    if fit.ok:
        needs, has = offer.entry.memory_mib / GIB, specification.memory_mib / GIB
        yield Line(Level.GOOD, f"Fits: needs {round(needs, 1):g} GiB, has {has:g}")
    else:
        yield Line(Level.BAD, fit.reason)


def _about_count(panel: Panel, offer: Offer) -> Iterator[Line]:
    if panel.instances is None:
        yield Line(Level.BAD, f"Number of instances: 1 to {offer.most_instances}")
    if panel.left_after is not None and panel.left_after < 0:
        yield Line(Level.BAD, f"{-panel.left_after.normalize():f} CU more than the group has left")


def _about_room(offer: Offer, group: tuple[ResourceGroup, Balance] | None) -> Iterator[Line]:
    if not offer.groups:
        yield Line(
            Level.BAD,
            "No resource group of this region is attached to the workspace; an operator does that",
        )
    elif group is None:
        yield Line(Level.BAD, "Choose a resource group")
    else:
        yield Line(Level.GOOD, f"{group[0].name} is attached to this workspace")
        yield _left(*offer.services_left(group[0]), "services left in this group")
    yield _left(*offer.services_left_in_workspace(), "services left in this workspace")


def _left(left: int, limit: int, what: str) -> Line:
    level = Level.BAD if left == 0 else Level.WARNING if left == 1 else Level.GOOD
    return Line(level, f"{left} of {limit} {what}")


def _about_access(answers: Mapping[str, str]) -> Iterator[Line]:
    if not answers.get("auth_enabled"):
        yield Line(Level.WARNING, "No API key required: anyone who reaches the address can call it")
