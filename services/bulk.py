"""Starting or stopping several services: what would happen to each, and doing it one by one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.access import Actor
from accounts.errors import SlipwayError
from services.models import Service
from services.operations import start_service, stop_service
from services.states import Desired, Status

# At most one page of the list.
MOST = 100
ACTIONS: Mapping[str, Callable[..., None]] = {"start": start_service, "stop": stop_service}


@dataclass(frozen=True)
class Prospect:
    """What an action would do to one service; `cu` are taken or given up."""

    service: Service
    acts: bool
    text: str
    cu: Decimal = Decimal(0)


@dataclass(frozen=True)
class Outcome:
    """How it went for one service; `error` is empty when it went well."""

    service: Service
    error: str = ""


def chosen_services(actor: Actor, ids: Iterable[str]) -> list[Service]:
    """Return those of the ids that are services of the workspace."""
    rows = Service.objects.filter(workspace=actor.workspace, pk__in=list(ids)[:MOST])
    return list(rows.select_related("group").prefetch_related("versions__specification"))


def prospects(action: str, services: Iterable[Service]) -> list[Prospect]:
    """Say what an action would do to each service; pure but for the rows given."""
    judge = {"start": _if_started, "stop": _if_stopped}[action]
    return [judge(service) for service in services]


def carry_out(
    actor: Actor, action: str, services: Iterable[Service], *, now: datetime
) -> list[Outcome]:
    """Do it to each service by itself: one that is refused keeps no other from it."""
    outcomes = []
    for service in services:
        try:
            ACTIONS[action](actor, service, now=now)
        except SlipwayError as refusal:
            outcomes.append(Outcome(service, refusal.message))
        else:
            outcomes.append(Outcome(service))
    return outcomes


def _if_started(service: Service) -> Prospect:
    if service.desired == Desired.DELETED:
        return Prospect(service, acts=False, text="is being deleted")
    if service.desired == Desired.STOPPED:
        return Prospect(service, acts=True, text="starts", cu=_cu(service))
    if service.status == Status.FAILED:
        return Prospect(service, acts=True, text="tries again with the CU that it holds")
    return Prospect(service, acts=False, text="is started already")


def _if_stopped(service: Service) -> Prospect:
    if service.desired == Desired.DELETED:
        return Prospect(service, acts=False, text="is being deleted")
    if service.desired == Desired.STOPPED:
        return Prospect(service, acts=False, text="is stopped already")
    text = "stops: requests under way end, new ones are answered with 503"
    return Prospect(service, acts=True, text=text, cu=_cu(service))


def _cu(service: Service) -> Decimal:
    return sum(
        (v.specification.cu * v.instance_count for v in service.versions.all()), start=Decimal(0)
    )
