"""Fixtures of these tests."""

from collections.abc import Iterator

import pytest

from tests.stage import Stage, set_stage


@pytest.fixture
def stage(actor, settings, tmp_path, monkeypatch) -> Iterator[Stage]:
    """Return a region of the fake driver, a clock, and workers that the test plays."""
    with set_stage(actor, settings, tmp_path, monkeypatch) as made:
        yield made
