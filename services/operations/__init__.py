"""The verbs: each checks role and state, changes rows in one transaction, and writes it down."""

from services.operations.deploy import DeploymentPlan, check_plan, deploy
from services.operations.keys import (
    create_key,
    delete_key,
    key_for_call,
    reveal_key,
    set_key_enabled,
)
from services.operations.lifecycle import delete_service, start_service, stop_service
from services.operations.modify import (
    Consequence,
    Modification,
    changed,
    consequence,
    modify_service,
)

__all__ = [
    "Consequence",
    "DeploymentPlan",
    "Modification",
    "changed",
    "check_plan",
    "consequence",
    "create_key",
    "delete_key",
    "delete_service",
    "deploy",
    "key_for_call",
    "modify_service",
    "reveal_key",
    "set_key_enabled",
    "start_service",
    "stop_service",
]
