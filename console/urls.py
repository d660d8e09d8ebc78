"""Every address of the console."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from console.views import shell

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", shell.health, name="health"),
    path("scope/", shell.switch_scope, name="switch_scope"),
    path("", include("accounts.urls")),
    path("", include("console.page_urls", namespace="console")),
    path("", include("console.service_urls", namespace="services")),
    path("api/v1/", include("console.api.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "console.views.errors.bad_request"
handler403 = "console.views.errors.forbidden"
handler404 = "console.views.errors.not_found"
handler500 = "console.views.errors.fault"
