"""The Model List: each entry with its verdict in a region, searched, filtered and sorted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtimes.registry import runtime
from services.catalog.fit import Fit
from services.models import CatalogEntry, Region
from services.queries import fits_of


@dataclass(frozen=True)
class Card:
    """One entry as the Model List shows it."""

    entry: CatalogEntry
    fit: Fit

    @property
    def runtime(self) -> str:
        """Return what the runtime is called."""
        return runtime(self.entry.runtime).label


@dataclass(frozen=True)
class CardFilter:
    """What a person chose above the cards; empty means all."""

    text: str = ""
    task: str = ""
    runtime: str = ""
    fits: str = ""
    sort: str = ""


def cards_of(region: Region, wanted: CardFilter) -> list[Card]:
    """Return the cards of a region; the catalog is small enough to be judged as a whole."""
    entries = list(CatalogEntry.objects.filter(enabled=True))
    fits = fits_of(entries, region)
    cards = [Card(entry, fits[entry.slug]) for entry in entries]
    return sort(filtered(cards, wanted), wanted.sort)


def card_of(entry: CatalogEntry, region: Region) -> Card:
    """Return one entry's card."""
    return Card(entry, fits_of([entry], region)[entry.slug])


def filtered(cards: Iterable[Card], wanted: CardFilter) -> list[Card]:
    """Return the cards that match every filter."""
    return [card for card in cards if _matches(card, wanted)]


def sort(cards: Sequence[Card], by: str) -> list[Card]:
    """Sort cards; without a wish, those that fit come first, in the catalog's order."""
    if by == "name":
        return sorted(cards, key=lambda card: card.entry.name.lower())
    if by == "parameters":
        return sorted(cards, key=lambda card: card.entry.parameters or 0)
    if by == "memory":
        return sorted(cards, key=lambda card: card.entry.memory_mib)
    return sorted(cards, key=lambda card: not card.fit.ok)


def _matches(card: Card, wanted: CardFilter) -> bool:
    entry = card.entry
    words = f"{entry.name} {entry.publisher} {entry.family} {entry.slug} {entry.licence}".lower()
    return (
        all(word in words for word in wanted.text.lower().split())
        and wanted.task in {"", entry.task}
        and wanted.runtime in {"", card.runtime}
        and wanted.fits in {"", "yes" if card.fit.ok else "no"}
    )
