"""Money; pure."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money

amounts = st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False, allow_infinity=False)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def test_money_is_shown_with_its_sign_and_thousands():
    assert str(usd("1234.5")) == "$1,234.50"
    assert str(Money(Decimal("3.456"), "CHF")) == "3.46 CHF"


def test_half_a_cent_is_rounded_up():
    assert usd("0.005").rounded() == usd("0.01")
    assert usd("2.675").rounded() == usd("2.68")


def test_a_float_is_no_money():
    with pytest.raises(TypeError, match="Decimal"):
        Money(0.1, "USD")  # type: ignore[arg-type]


def test_two_currencies_cannot_be_added():
    with pytest.raises(ValueError, match="Cannot add EUR to USD"):
        usd("1") + Money(Decimal(1), "EUR")


@given(st.lists(amounts, min_size=1, max_size=50))
def test_a_sum_does_not_depend_on_the_order(values):
    forth = sum_of(values)
    assert forth == sum_of(list(reversed(values)))
    assert forth.amount == sum(values, Decimal(0))


@given(amounts, st.integers(0, 1000))
def test_rounding_comes_last(amount, factor):
    exact = Money(amount, "USD").times(factor)
    assert exact.amount == amount * factor
    assert abs(exact.rounded().amount - exact.amount) <= Decimal("0.005")


def sum_of(values: list[Decimal]) -> Money:
    total = usd("0")
    for value in values:
        total += Money(value, "USD")
    return total
