"""The namespace `services`: pages of the services app, and those that join services with money."""

from django.urls import URLPattern, path

from console.views import debug, modify, overview, service_list
from services.converters import SERVICE
from services.urls import urlpatterns as own

app_name = "services"

urlpatterns: list[URLPattern] = [
    path("services/", service_list.service_list, name="list"),
    *own,
    path(SERVICE, overview.overview, name="overview"),
    path(f"{SERVICE}modify/", modify.modify, name="modify"),
    path(f"{SERVICE}modify/preview/", modify.preview, name="modify_preview"),
    path(f"{SERVICE}debug/", debug.debug, name="debug"),
    path(f"{SERVICE}debug/send/", debug.send, name="debug_send"),
]
