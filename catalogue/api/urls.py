"""Routes of the REST endpoints for DSRs, messages and resources."""

from django.urls import path

from catalogue.api import dsrs, imports, lines, messages, totals, versions
from catalogue.api.questions import artists, comparison, coverage, identification, percentile, statistics
from dsrhub.api.routes import either_slash, undocumented

urlpatterns = [
    *either_slash("dsrs/", dsrs.DSRListView.as_view(), "dsr-list"),
    *either_slash("dsrs/<str:id>", dsrs.DSRDetailView.as_view(), "dsr-detail"),
    *either_slash("dsrs/<str:id>/lines", lines.DSRLinesView.as_view(), "dsr-lines"),
    *either_slash("dsrs/<str:id>/problems", dsrs.DSRProblemsView.as_view(), "dsr-problems"),
    *either_slash("dsrs/<str:id>/totals/", totals.DSRTotalsView.as_view(), "dsr-totals"),
    *either_slash("statistics/comparison/", comparison.ComparisonView.as_view(), "comparison"),
    *either_slash("statistics/", statistics.StatisticsView.as_view(), "statistics"),
    *either_slash("artists/", artists.ArtistsView.as_view(), "artists"),
    *either_slash("coverage/", coverage.CoverageView.as_view(), "coverage"),
    *either_slash("imports/<str:id>", imports.ImportView.as_view(), "import-detail"),
    *either_slash("dsrs/<str:id>/details", dsrs.DSRDetailsView.as_view(), "dsr-details"),
    *either_slash("dsrs/<str:id>/use-types", lines.DSRUseTypesView.as_view(), "dsr-use-types"),
    *either_slash("dsrs/<str:id>/versions", versions.DSRVersionsView.as_view(), "dsr-versions"),
    *either_slash("versions/", versions.VersionListView.as_view(), "version-list"),
    *either_slash("versions/<str:id>", versions.VersionView.as_view(), "version-detail"),
    *either_slash("versions/<str:id>/recordings", versions.VersionRecordingsView.as_view(), "version-recordings"),
    *either_slash("versions/<str:id>/revert", versions.VersionRevertView.as_view(), "version-revert"),
    *either_slash("messages/", messages.MessageListView.as_view(), "message-list"),
    *either_slash("messages/<str:id>", messages.MessageDetailView.as_view(), "message-detail"),
    *either_slash("messages/<str:id>/problems", messages.MessageProblemsView.as_view(), "message-problems"),
    *either_slash("resources/identification/", identification.IdentificationView.as_view(), "identification"),
    *either_slash("resources/same-isrc/", identification.SameIsrcView.as_view(), "same-isrc"),
    *either_slash("resources/percentile/<str:number>", percentile.TopPercentileView.as_view(), "top-percentile"),
    # A missing number is answered as a wrong number.
    path("resources/percentile/", undocumented(percentile.TopPercentileView.as_view()), {"number": ""}),
]
