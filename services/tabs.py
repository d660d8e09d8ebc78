"""The tabs of a service's page, in the order of the bar; apps above add theirs in `ready`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tab:
    """One tab: its name in the address, its label, its URL's name, its place from the left."""

    slug: str
    label: str
    url_name: str
    place: int


_tabs: dict[str, Tab] = {
    tab.slug: tab
    for tab in (
        Tab("overview", "Overview", "services:overview", 10),
        Tab("keys", "API Key", "services:keys", 40),
        Tab("events", "Events", "services:events", 70),
    )
}


def add_tab(tab: Tab) -> None:
    """Add a tab, or replace the one of the same slug."""
    _tabs[tab.slug] = tab


def tabs() -> list[Tab]:
    """Return all tabs from left to right."""
    return sorted(_tabs.values(), key=lambda tab: tab.place)
