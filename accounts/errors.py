"""Errors that a person can act on.

    SlipwayError
    ├── InvalidInput      the fields say what is wrong, one message each
    ├── Malformed         the request itself cannot be read
    ├── NotSignedIn       nobody is signed in
    ├── NotAllowed        the role does not permit it; says which role does
    ├── NotFound          it is not there, or not for this person to see
    │   └── NoWorkspace   the person belongs to none yet
    └── Conflict          the state does not permit it now; says what to do next
        └── LimitReached  names the limit, its value and who can raise it

Operations raise these; pages and the API turn them into answers in one place each.
"""

from collections.abc import Mapping


class SlipwayError(Exception):
    """A refusal with a sentence for the person and a code for programs."""

    code = "error"
    status = 500

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code


class InvalidInput(SlipwayError):
    """One or more fields are wrong; `fields` maps a field's name to its message."""

    code = "invalid_input"
    status = 400

    def __init__(self, fields: Mapping[str, str], *, code: str = "") -> None:
        super().__init__(" ".join(fields.values()), code=code)
        self.fields = dict(fields)


class Malformed(SlipwayError):
    """The request holds what no page can read or no database can store."""

    code = "malformed_request"
    status = 400


class NotSignedIn(SlipwayError):
    """This needs somebody who is signed in."""

    code = "not_signed_in"
    status = 401


class NotAllowed(SlipwayError):
    """The person's role does not permit this."""

    code = "not_allowed"
    status = 403


class NotFound(SlipwayError):
    """There is no such thing, or none that this person may see."""

    code = "not_found"
    status = 404


class NoWorkspace(NotFound):
    """The person is a member of no workspace, so there is nothing to show them yet."""

    code = "no_workspace"


class Conflict(SlipwayError):
    """The present state does not permit this."""

    code = "conflict"
    status = 409


class LimitReached(Conflict):
    """A limit or the capacity would be exceeded."""

    code = "limit_reached"
