"""Money: an amount and its currency, exact; the only place that rounds.

Prices are per hour and per CU with up to six places; what is shown or billed has two, rounded half
up, and only at the end of a sum.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
HOURS_A_MONTH = Decimal(720)
SYMBOLS = {"USD": "$", "EUR": "€", "CNY": "¥", "JPY": "¥", "GBP": "£"}


@dataclass(frozen=True)
class Money:
    """An exact amount in one currency."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        """Refuse floats, which cannot hold a price."""
        if not isinstance(self.amount, Decimal):
            raise TypeError("An amount of money must be a Decimal.")

    def __add__(self, other: "Money") -> "Money":
        """Add an amount of the same currency."""
        if other.currency != self.currency:
            raise ValueError(f"Cannot add {other.currency} to {self.currency}.")
        return Money(self.amount + other.amount, self.currency)

    def times(self, factor: Decimal | int) -> "Money":
        """Multiply without rounding."""
        return Money(self.amount * factor, self.currency)

    def rounded(self) -> "Money":
        """Round to two places, half up."""
        return Money(self.amount.quantize(CENT, ROUND_HALF_UP), self.currency)

    def __str__(self) -> str:
        """Show as `$1,234.50`, or with the currency's code where it has no sign."""
        number = f"{self.rounded().amount:,}"
        sign = SYMBOLS.get(self.currency)
        return f"{sign}{number}" if sign else f"{number} {self.currency}"
