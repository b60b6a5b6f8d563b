"""Errors of webhooks."""

from dsrhub.exceptions import ConflictError, InvalidArgument, NotFoundError


class WebhookNotFound(NotFoundError):
    code = "webhook_not_found"


class DeliveryNotFound(NotFoundError):
    code = "delivery_not_found"


class InvalidWebhook(InvalidArgument):
    """A webhook has no name, or listens for nothing."""

    code = "invalid_webhook"


class AddressRefused(InvalidArgument):
    """Nothing may be sent to an address: its form, its scheme, or where it leads to."""

    code = "address_refused"


class WebhookDisabled(ConflictError):
    """Nothing is sent to a webhook that is disabled."""

    code = "webhook_disabled"
