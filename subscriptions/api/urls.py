"""The routes of the REST endpoints of subscriptions and their usage."""

from dsrhub.api.routes import either_slash
from subscriptions.api import limits, records, subscribers, views

urlpatterns = [
    *either_slash("subscriptions/", subscribers.SubscriptionListView.as_view(), "subscription-list"),
    *either_slash("subscriptions/records/", records.RecordsView.as_view(), "subscription-records"),
    *either_slash("subscriptions/limits/", limits.PriceLimitListView.as_view(), "price-limit-list"),
    *either_slash("subscriptions/limits/<str:id>/", limits.PriceLimitView.as_view(), "price-limit"),
    *either_slash("subscriptions/crossings/", limits.LimitCrossingListView.as_view(), "limit-crossing-list"),
    *either_slash("subscriptions/over-limit/", views.OverLimitView.as_view(), "subscription-over-limit"),
    *either_slash("subscriptions/over-limit.csv", views.OverLimitCSVView.as_view(), "subscription-over-limit-csv"),
    *either_slash("subscriptions/usage/", views.UsageView.as_view(), "subscription-usage"),
    *either_slash("subscriptions/usage.csv", views.UsageCSVView.as_view(), "subscription-usage-csv"),
    *either_slash("subscriptions/usage/carriers/", views.CarriersView.as_view(), "subscription-usage-of-carriers"),
    *either_slash(
        "subscriptions/usage/carriers.csv", views.CarriersCSVView.as_view(), "subscription-usage-of-carriers-csv"
    ),
    *either_slash("subscriptions/<str:id>/usage/", views.UsageOfOneView.as_view(), "subscription-usage-of-one"),
    *either_slash(
        "subscriptions/<str:id>/usage.csv", views.UsageOfOneCSVView.as_view(), "subscription-usage-of-one-csv"
    ),
    # Behind all other addresses of this form.
    *either_slash("subscriptions/<str:id>/", subscribers.SubscriptionDetailView.as_view(), "subscription-detail"),
]
