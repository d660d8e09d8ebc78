"""The gateway as callers meet it: a real Envoy in front of a model that only pretends."""

import pytest

pytestmark = pytest.mark.real
