"""Routes of the REST API, included at `/api/v1/`."""

from django.urls import path

from console.api import catalog, deployed, keys
from services.converters import KEY, SERVICE

app_name = "api"

urlpatterns = [
    path("models/", catalog.Models.as_view(), name="models"),
    path("models/<slug:slug>/", catalog.OneModel.as_view(), name="model"),
    path("specifications/", catalog.Specifications.as_view(), name="specifications"),
    path("resource-groups/", catalog.ResourceGroups.as_view(), name="resource_groups"),
    path("services/", deployed.Services.as_view(), name="services"),
    path(SERVICE, deployed.OneService.as_view(), name="service"),
    path(SERVICE + "start/", deployed.Start.as_view(), name="start"),
    path(SERVICE + "stop/", deployed.Stop.as_view(), name="stop"),
    path(SERVICE + "events/", deployed.Events.as_view(), name="events"),
    path(SERVICE + "keys/", keys.Keys.as_view(), name="keys"),
    path(KEY, keys.OneKey.as_view(), name="key"),
    path(KEY + "reveal/", keys.Reveal.as_view(), name="reveal_key"),
    path(KEY + "enable/", keys.Enable.as_view(), name="enable_key"),
    path(KEY + "disable/", keys.Disable.as_view(), name="disable_key"),
]
