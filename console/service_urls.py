"""The namespace `services`: pages of the services app, and those that join services with money."""

from django.urls import URLPattern, path

from console.views import service_list
from services.urls import urlpatterns as own

app_name = "services"

urlpatterns: list[URLPattern] = [
    path("services/", service_list.service_list, name="list"),
    *own,
]
