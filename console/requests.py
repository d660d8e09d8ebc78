"""The request as the shell sees it: also what the person could switch to."""

from accounts.models import Workspace
from services.models import Region
from services.requests import SlipwayRequest


class ShellRequest(SlipwayRequest):
    """A request after the scope is read; for annotations, never instantiated."""

    workspaces: list[Workspace]
    regions: list[Region]
