"""Routes of the whole product."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView, SpectacularYAMLAPIView

from dsrhub.api.routes import either_slash
from dsrhub.api.session import TokenView
from dsrhub.pages.landing import landing

urlpatterns = [
    path("", include("catalogue.api.urls")),
    path("", include("subscriptions.api.urls")),
    path("", include("graphql_schema.urls")),
    path("", include("dsrhub.webhooks.api.urls")),
    *either_slash("token/", TokenView.as_view(), "token"),
    path("openapi.yaml", SpectacularYAMLAPIView.as_view(), name="openapi"),
    path("openapi.json", SpectacularJSONAPIView.as_view()),
    # The page needs no user. If a session had to authenticate a POST, even the page of its error would fail.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="openapi", authentication_classes=()), name="docs"),
    path("admin/", admin.site.urls),
    path("", landing, name="landing"),
]

handler400 = "dsrhub.api.errors.bad_request"
handler404 = "dsrhub.api.errors.not_found"
handler500 = "dsrhub.api.errors.server_error"
