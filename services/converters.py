"""Ids in addresses: what does not look like one is no page, and never reaches the database."""

from django.urls import register_converter

# The beginning of every page of one service, and of every page of one of its keys.
SERVICE = "services/<service_id:service_id>/"
KEY = SERVICE + "keys/<key_id:key_id>/"


class ServiceId:
    """`ms-` and twelve lower-case alphanumerics."""

    regex = "ms-[a-z0-9]{12}"

    def to_python(self, value: str) -> str:
        """Return the id as it stands in the address."""
        return value

    def to_url(self, value: str) -> str:
        """Return the id as it stands in the address."""
        return value


class KeyId(ServiceId):
    """`ak-` and twelve lower-case alphanumerics."""

    regex = "ak-[a-z0-9]{12}"


register_converter(ServiceId, "service_id")
register_converter(KeyId, "key_id")
