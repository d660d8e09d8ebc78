"""Environment variables as lines of text, with values masked."""

import pytest

from accounts.errors import InvalidInput
from services.environment import MASK, as_text, from_text, masked, unmasked


def test_values_are_hidden_in_text_and_in_objects():
    assert as_text({"TOKEN": "s3cret"}) == f"TOKEN={MASK}"
    assert masked({"TOKEN": "s3cret"}) == {"TOKEN": MASK}


def test_a_masked_line_keeps_the_present_value():
    assert from_text(f"TOKEN={MASK}\nMORE=a=b", {"TOKEN": "x"}) == {"TOKEN": "x", "MORE": "a=b"}


@pytest.mark.parametrize("text", ["no sign", "A=1\nA=2", f"NEW={MASK}"])
def test_a_line_that_cannot_be_meant_is_refused(text):
    with pytest.raises(InvalidInput):
        from_text(text, {})


def test_a_variable_that_is_left_out_goes():
    assert unmasked({}, {"TOKEN": "x"}) == {}
