"""The routes of webhooks."""

from dsrhub.api.routes import either_slash
from dsrhub.webhooks.api import views

urlpatterns = [
    *either_slash("webhooks/", views.WebhookListView.as_view(), "webhook-list"),
    *either_slash("webhooks/<str:id>/", views.WebhookView.as_view(), "webhook"),
    *either_slash("webhooks/<str:id>/rotate/", views.WebhookRotateView.as_view(), "webhook-rotate"),
    *either_slash("webhooks/<str:id>/test/", views.WebhookTestView.as_view(), "webhook-test"),
    *either_slash("webhooks/<str:id>/deliveries/", views.DeliveryListView.as_view(), "webhook-deliveries"),
    *either_slash(
        "webhooks/<str:id>/deliveries/<str:delivery>/resend/", views.DeliveryResendView.as_view(), "webhook-resend"
    ),
]
