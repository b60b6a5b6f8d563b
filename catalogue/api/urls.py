"""Routes of the REST endpoints for DSRs and resources."""

from django.urls import path

from catalogue.api import views
from dsrhub.api.routes import either_slash, undocumented

urlpatterns = [
    *either_slash("dsrs/", views.DSRListView.as_view(), "dsr-list"),
    *either_slash("dsrs/<str:id>", views.DSRDetailView.as_view(), "dsr-detail"),
    *either_slash("dsrs/<str:id>/lines", views.DSRLinesView.as_view(), "dsr-lines"),
    *either_slash("dsrs/<str:id>/problems", views.DSRProblemsView.as_view(), "dsr-problems"),
    *either_slash("imports/<str:id>", views.ImportView.as_view(), "import-detail"),
    *either_slash("resources/percentile/<str:number>", views.TopPercentileView.as_view(), "top-percentile"),
    # A missing number is answered as a wrong number.
    path("resources/percentile/", undocumented(views.TopPercentileView.as_view()), {"number": ""}),
]
