"""The left bar: five groups, one table; a page that is not there yet does not show."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Entry:
    """One link; it is the current one under its own path and under those in `also`."""

    label: str
    route: str
    icon: str
    operators_only: bool = False
    also: tuple[str, ...] = ()


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("Home", "console:home", "home"),)),
    (
        "Serve",
        (
            Entry("Model Service", "services:list", "server"),
            Entry("Model List", "services:models", "box", also=("/deploy/",)),
            Entry("Debug", "console:debug_any", "message"),
        ),
    ),
    (
        "Capacity",
        (
            Entry("Resource Groups", "services:groups", "stack"),
            Entry("Networks", "networking:list", "network"),
        ),
    ),
    (
        "Spend",
        (
            Entry("Usage", "billing:usage", "chart-line"),
            Entry("Bills", "billing:bills", "receipt"),
            Entry("Budgets", "billing:budgets", "coin"),
        ),
    ),
    (
        "Govern",
        (
            Entry("Members", "accounts:members", "users"),
            Entry("Audit", "accounts:audit", "list"),
            Entry("Admin", "admin:index", "settings", operators_only=True),
        ),
    ),
)


def navigation(path: str, *, operator: bool) -> list[tuple[str, list[dict[str, object]]]]:
    """Return the groups with the links that this person may follow."""
    shown = []
    for title, entries in GROUPS:
        links = [
            {
                "label": entry.label,
                "icon": entry.icon,
                "url": url,
                "current": _current(url, entry, path),
            }
            for entry in entries
            if (url := _url(entry, operator=operator))
        ]
        if links:
            shown.append((title, links))
    return shown


def _url(entry: Entry, *, operator: bool) -> str:
    if entry.operators_only and not operator:
        return ""
    try:
        return reverse(entry.route)
    except NoReverseMatch:
        return ""


def _current(url: str, entry: Entry, path: str) -> bool:
    return path == url if url == "/" else path.startswith((url, *entry.also))
