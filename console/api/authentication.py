"""Programs sign in with an access token: `Authorization: Bearer <token>`."""

import hashlib
from datetime import datetime, timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import AccessToken, User

# The moment of use is for people; one write a minute is exact enough.
NOTE_USE_EVERY = timedelta(minutes=1)


class AccessTokenAuthentication(BaseAuthentication):
    """Recognises a token by its SHA-256 digest; leaves other schemes to the next class."""

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        """Return the token's person; raise AuthenticationFailed for a bad or expired token."""
        scheme, _, presented = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        digest = hashlib.sha256(presented.strip()).hexdigest()
        token = AccessToken.objects.select_related("user").filter(digest=digest).first()
        now = timezone.now()
        if token is None or not token.user.is_active:
            raise AuthenticationFailed(
                "This access token is not known; create one on your profile's page.",
                code="unknown_token",
            )
        if token.expires_at is not None and token.expires_at <= now:
            raise AuthenticationFailed("This access token has expired.", code="expired_token")
        _note_use(token, now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes a refusal a 401 and not a 403."""
        return 'Bearer realm="slipway"'


def _note_use(token: AccessToken, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at > NOTE_USE_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)
