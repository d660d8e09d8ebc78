"""Tags and filters of all pages; docs/ui.md shows how to use each."""

import functools
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.forms import BaseForm, BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from services.states import LOOKS, InstanceState, Status

register = template.Library()

NO_VALUE = "–"
CLASS_ATTRIBUTE = re.compile(r'\sclass="[^"]*"')
WORD = re.compile(r"[A-Z][a-z]+")
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
STEP = 1024
INSTANCE_COLOURS = {
    InstanceState.READY: "green",
    InstanceState.FAILED: "red",
    InstanceState.UNHEALTHY: "yellow",
    InstanceState.BACKING_OFF: "orange",
    InstanceState.PENDING: "orange",
}
LEVEL_COLOURS = {"normal": "green", "warning": "orange", "error": "red"}


@functools.lru_cache
def _drawing(name: str) -> str:
    path = Path(settings.BASE_DIR) / "static" / "icons" / f"{name}.svg"
    return CLASS_ATTRIBUTE.sub("", path.read_text().replace("\n", ""), count=1)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of static/icons inline; it is decoration, so give its button a label."""
    drawing = _drawing(name).replace(
        "<svg", f'<svg class="icon {css}" aria-hidden="true" focusable="false"', 1
    )
    return mark_safe(drawing)


@register.inclusion_tag("components/status.html")
def status(value: str, reason: str = "", *, inline: bool = False) -> dict[str, object]:
    """Show a service's or version's status: dot, word and reason."""
    look = LOOKS[Status(value)]
    return {
        "label": look.label,
        "colour": look.colour,
        "reason": reason,
        "inline": inline,
        "bad": value in {Status.FAILED, Status.DEGRADED},
    }


@register.inclusion_tag("components/status.html")
def instance_state(value: str, reason: str = "") -> dict[str, object]:
    """Show an instance's state: dot, word and reason."""
    state = InstanceState(value)
    return {
        "label": state.replace("_", " ").capitalize(),
        "colour": INSTANCE_COLOURS.get(state, "azure"),
        "reason": reason,
        "bad": state in {InstanceState.FAILED, InstanceState.UNHEALTHY},
    }


@register.inclusion_tag("components/status.html")
def level(value: str) -> dict[str, object]:
    """Show an event's level: dot and word."""
    return {"label": value.capitalize(), "colour": LEVEL_COLOURS.get(value, "secondary")}


@register.filter
def reason_words(reason: str) -> str:
    """Show an event's reason, a word for programs, to people: `StartFailed` as `Start failed`."""
    words = WORD.findall(reason.removeprefix("Service")) or [reason]
    return " ".join(words).capitalize()


@register.inclusion_tag("components/copy.html")
def copy(text: str, what: str = "") -> dict[str, str]:
    """Show a button that copies a text; `what` names it for screen readers."""
    return {"text": text, "what": what or text}


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, *, wide: bool = False) -> dict[str, object]:
    """Show a form's field with label, help and its errors."""
    widget = bound.field.widget
    kind = type(widget).__name__
    css = {"Select": "form-select", "CheckboxInput": "form-check-input"}.get(kind, "form-control")
    described = f"{bound.id_for_label}-help" if bound.help_text else ""
    attributes: dict[str, str | bool] = {"class": f"{css} is-invalid" if bound.errors else css}
    if bound.errors:
        attributes["aria-invalid"] = "true"
        described = f"{bound.id_for_label}-error {described}".strip()
    if described:
        attributes["aria-describedby"] = described
    return {
        "bound": bound,
        "control": bound.as_widget(attrs=attributes),
        "check": kind == "CheckboxInput",
        "wide": wide,
    }


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: BaseForm) -> dict[str, object]:
    """Show what is wrong in a form, each message a link to its field."""
    named = [(bound, bound.errors) for bound in form if bound.errors]
    return {"named": named, "others": form.non_field_errors()}


@register.simple_tag
def ago(when: datetime | None) -> SafeString | str:
    """Show a moment as `3 min ago`; the exact time in the viewer's zone is on hover."""
    if when is None:
        return NO_VALUE
    exact = timezone.localtime(when)
    return format_html(
        '<time datetime="{}" data-relative title="{}">{}</time>',
        when.isoformat(),
        exact.strftime("%Y-%m-%d %H:%M:%S %Z"),
        relative(when, timezone.now()),
    )


@register.simple_tag
def moment(when: datetime | None) -> SafeString | str:
    """Show a moment as date and time in the viewer's zone."""
    if when is None:
        return NO_VALUE
    exact = timezone.localtime(when).strftime("%Y-%m-%d %H:%M %Z")
    return format_html('<time datetime="{}" data-moment>{}</time>', when.isoformat(), exact)


def relative(when: datetime, now: datetime) -> str:
    """Say how long ago (or in how long) a moment is, in its largest unit."""
    seconds = (now - when).total_seconds()
    amount = abs(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if amount >= size:
            text = f"{int(amount // size)} {unit}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "now"


@register.filter
def cu(value: Decimal | int | None) -> str:
    """Show a number of CU with its unit."""
    return NO_VALUE if value is None else f"{plain(value)} CU"


@register.filter
def plain(value: Any) -> str:
    """Show a decimal without trailing zeros and with thousands separated."""
    if value is None:
        return NO_VALUE
    number = Decimal(value).normalize()
    return f"{number:,f}"


@register.filter
def memory(mib: int | None) -> str:
    """Show MiB as MiB or GiB."""
    return NO_VALUE if mib is None else size(mib * STEP * STEP)


@register.filter
def size(value: int | None) -> str:
    """Show bytes with a binary unit."""
    if value is None:
        return NO_VALUE
    amount, unit = float(value), 0
    while amount >= STEP and unit < len(UNITS) - 1:
        amount, unit = amount / STEP, unit + 1
    return f"{amount:.1f}".removesuffix(".0") + f" {UNITS[unit]}"


@register.filter
def parameters(value: int | None) -> str:
    """Show a number of parameters as 135M or 7.6B."""
    if not value:
        return NO_VALUE
    billions = value / 1e9
    if billions >= 1:
        return f"{billions:.1f}".removesuffix(".0") + "B"
    return f"{value / 1e6:.0f}M"


@register.filter
def money(value: Any) -> str:
    """Show an amount of money, or a dash where there is no price."""
    return NO_VALUE if value is None else str(value)


class CaptureNode(template.Node):
    """Renders its contents into a variable instead of the page."""

    def __init__(self, nodes: template.NodeList, name: str) -> None:
        self.nodes = nodes
        self.name = name

    def render(self, context: template.Context) -> str:
        """Set the variable, and put nothing on the page."""
        context[self.name] = mark_safe(self.nodes.render(context).strip())
        return ""


@register.tag
def capture(parser: template.base.Parser, token: template.base.Token) -> CaptureNode:
    """Keep what stands until endcapture in a variable: a page's title is shown twice."""
    _, name = token.split_contents()
    nodes = parser.parse(("endcapture",))
    parser.delete_first_token()
    return CaptureNode(nodes, name)
