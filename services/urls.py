"""Addresses of the services app; `console.service_urls` adds those of pages that join subjects."""

from django.urls import URLPattern, path

from services.views import bulk, models

app_name = "services"

urlpatterns: list[URLPattern] = [
    path("models/", models.model_list, name="models"),
    path("models/<slug:slug>/", models.model, name="model"),
    path("services/bulk/<slug:action>/", bulk.bulk, name="bulk"),
]
