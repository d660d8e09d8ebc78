"""Addresses of the wizard, in the namespace `console`."""

from django.urls import URLPattern, path

from console.views import wizard

urlpatterns: list[URLPattern] = [
    path("deploy/<slug:slug>/", wizard.begin, name="deploy_begin"),
    path("deploy/<slug:slug>/<slug:step>/", wizard.deploy, name="deploy"),
    path("deploy/<slug:slug>/<slug:step>/preview/", wizard.preview, name="deploy_preview"),
]
