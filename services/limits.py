"""What the limits are: an override for the group or workspace, else the installation's, else ours.

The defaults are those of DataWorks Model Service; the 128 instances are ModelArts'.
"""

from accounts.errors import LimitReached
from accounts.models import Workspace
from services.models import Limit, ResourceGroup

DEFAULTS: dict[Limit.Code, int] = {
    Limit.Code.SERVICES_PER_WORKSPACE: 50,
    Limit.Code.SERVICES_PER_GROUP: 5,
    Limit.Code.VPCS_PER_SERVICE: 3,
    Limit.Code.INSTANCES_PER_SERVICE: 128,
}


Overrides = dict[tuple[str, str | None, str | None], int]


def overrides(*codes: Limit.Code) -> Overrides:
    """Return what operators have set of these limits, by code, workspace and group."""
    rows = Limit.objects.filter(code__in=codes)
    return {(row.code, row.workspace_id, row.group_id): row.value for row in rows}


def limit_value(
    code: Limit.Code,
    *,
    workspace: Workspace | None = None,
    group: ResourceGroup | None = None,
    known: Overrides | None = None,
) -> int:
    """Return the limit in force for a workspace or a group; `known` spares the query."""
    found = overrides(code) if known is None else known
    candidates: list[tuple[str | None, str | None]] = [(None, None)]
    if workspace is not None:
        candidates.insert(0, (workspace.pk, None))
    if group is not None:
        candidates.insert(0, (None, group.pk))
    return next((found[code, *key] for key in candidates if (code, *key) in found), DEFAULTS[code])


def check_limit(
    code: Limit.Code,
    wanted: int,
    *,
    workspace: Workspace | None = None,
    group: ResourceGroup | None = None,
) -> None:
    """Raise LimitReached, naming the limit and who can raise it, when `wanted` is over it."""
    value = limit_value(code, workspace=workspace, group=group)
    if wanted > value:
        raise LimitReached(
            f"{code.label}: the limit is {value}, this would make {wanted}. "
            "An operator can raise it on the admin page “Limits”.",
            code=code.value,
        )
