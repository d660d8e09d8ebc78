"""The namespace `console`: pages that join subjects."""

from django.urls import URLPattern, path

from console.views import debug, home
from console.wizard.urls import urlpatterns as wizard

app_name = "console"

urlpatterns: list[URLPattern] = [
    path("debug/", debug.debug_any, name="debug_any"),
    path("", home.home, name="home"),
    *wizard,
]
