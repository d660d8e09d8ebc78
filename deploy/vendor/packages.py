"""What the console's pages take from npm: exact versions, and which files of each package."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """One npm package; `files` maps a path in it to a path under `static/`."""

    name: str
    version: str
    licence: str
    files: dict[str, str]


ICONS = (
    "alert-circle",
    "alert-triangle",
    "box",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "chevron-up",
    "circle-check",
    "clock",
    "copy",
    "cpu",
    "database",
    "dots",
    "download",
    "edit",
    "external-link",
    "eye",
    "eye-off",
    "history",
    "home",
    "info-circle",
    "key",
    "list",
    "lock",
    "logout",
    "menu-2",
    "message",
    "minus",
    "moon",
    "network",
    "player-play",
    "player-stop",
    "plus",
    "receipt",
    "refresh",
    "rocket",
    "search",
    "selector",
    "server",
    "settings",
    "stack",
    "sun",
    "sun-moon",
    "trash",
    "upload",
    "user",
    "users",
    "x",
)
# Shorter names that the navigation uses.
ALIASES = {"chart-line": "chart", "coins": "coin"}


def _icon_files() -> dict[str, str]:
    names = {**{name: name for name in ICONS}, **ALIASES}
    return {
        f"icons/outline/{source}.svg": f"icons/{target}.svg" for source, target in names.items()
    }


PACKAGES = (
    Package(
        "@tabler/core",
        "1.6.1",
        "MIT",
        {
            "dist/css/tabler.min.css": "vendor/tabler/tabler.min.css",
            "dist/js/tabler.min.js": "vendor/tabler/tabler.min.js",
        },
    ),
    Package("@tabler/icons", "3.36.1", "MIT", _icon_files()),
    Package("htmx.org", "2.0.10", "0BSD", {"dist/htmx.min.js": "vendor/htmx/htmx.min.js"}),
    Package(
        "idiomorph",
        "0.7.4",
        "0BSD",
        {"dist/idiomorph-ext.min.js": "vendor/idiomorph/idiomorph-ext.min.js"},
    ),
    Package(
        "plotly.js-basic-dist-min",
        "4.1.1",
        "MIT",
        {"plotly-basic.min.js": "vendor/plotly/plotly-basic.min.js"},
    ),
    Package(
        "@fontsource-variable/inter",
        "5.2.8",
        "OFL-1.1",
        {"files/inter-latin-wght-normal.woff2": "vendor/inter/inter-latin-wght-normal.woff2"},
    ),
)
