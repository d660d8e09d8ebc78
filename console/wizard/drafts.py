"""What a person has filled in so far, kept in the session: one draft for each model and place."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict

SESSION_KEY = "wizard"
# Drafts of other models that are kept; the oldest goes first.
KEPT = 10
# A longer text is refused by every field, so that keeping all of it would serve nobody.
LONGEST = 200_000


class Draft:
    """The answers to each step, as typed, right or wrong."""

    def __init__(self, session: SessionBase, workspace: str, region: str, slug: str) -> None:
        self._session = session
        self._key = f"{workspace} {region} {slug}"

    def answers(self, step: str) -> dict[str, str] | None:
        """Return what was filled in on a step; None when it was never touched."""
        found: dict[str, str] | None = self._state.get("answers", {}).get(step)
        return found

    def is_submitted(self, step: str) -> bool:
        """Return whether the person has pressed Next on a step, so that errors may be shown."""
        return step in self._state.get("submitted", [])

    def keep(
        self, step: str, data: QueryDict, fields: Iterable[str], *, submitted: bool = False
    ) -> None:
        """Remember a step's fields; unticked boxes are not sent and therefore not kept."""
        state = self._state
        answers = {name: data[name][:LONGEST] for name in fields if name in data}
        done = [*state.get("submitted", []), step] if submitted else state.get("submitted", [])
        self._write(
            {
                "answers": {**state.get("answers", {}), step: answers},
                "submitted": sorted(set(done)),
            }
        )

    def finish(self, service_id: str) -> None:
        """Forget the answers and remember what became of them."""
        self._write({"service": service_id})

    @property
    def service_id(self) -> str:
        """Return the service that this draft has become; empty while it has not."""
        return str(self._state.get("service", ""))

    @property
    def _state(self) -> Mapping[str, Any]:
        state: Mapping[str, Any] = self._session.get(SESSION_KEY, {}).get(self._key, {})
        return state

    def _write(self, state: Mapping[str, Any]) -> None:
        others = [(k, v) for k, v in self._session.get(SESSION_KEY, {}).items() if k != self._key]
        self._session[SESSION_KEY] = dict([*others[-(KEPT - 1) :], (self._key, state)])
