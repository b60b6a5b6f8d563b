"""Webhooks, the events that are sent to them (the outbox), and the deliveries of events (the log)."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class EventType(models.TextChoices):
    """What a webhook can listen for. The codes are stable."""

    DSR_INGESTED = "dsr.ingested", _("DSRs ingested")
    DSR_FAILED = "dsr.failed", _("delivery failed")
    DSR_REPLACED = "dsr.replaced", _("DSRs replaced")
    DSR_REVERTED = "dsr.reverted", _("DSRs reverted")
    DSR_DELETED = "dsr.deleted", _("DSRs deleted")
    REPORT_MISSING = "report.missing", _("report missing")
    LIMIT_REACHED = "usage.limit_reached", _("price limit reached")
    LIMIT_WITHDRAWN = "usage.limit_withdrawn", _("price limit withdrawn")


# A person sends it to one webhook, whatever that listens for.
TEST_EVENT = "webhook.test"


class Webhook(models.Model):
    """An address that events are sent to.

    `secret` is encrypted: see `dsrhub.webhooks.signing`. After a rotation, the old one signs too, until
    `old_secret_until`. The last fields tell how the receiver fares: since when every attempt has failed, how many did,
    and until when the webhook rests.
    """

    class Reason(models.TextChoices):
        """Why a webhook is disabled."""

        USER = "user", _("A user has disabled it.")
        FAILING = "failing", _("Every attempt failed for days.")
        GONE = "gone", _("The receiver answered that it is gone (410).")

    # Four bytes, as the lock of a webhook has.
    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=100, help_text=_("Who receives the events, and what for."))
    url = models.CharField(_("address"), max_length=2000)
    events = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    is_enabled = models.BooleanField(_("enabled"), default=True)
    disabled_reason = models.CharField(_("why it is disabled"), max_length=10, choices=Reason, blank=True)
    disabled_at = models.DateTimeField(_("disabled at"), null=True)
    secret = models.TextField()
    old_secret = models.TextField(blank=True)
    old_secret_until = models.DateTimeField(_("old secret signs until"), null=True)
    failing_since = models.DateTimeField(_("failing since"), null=True)
    failures = models.IntegerField(_("failures"), default=0, help_text=_("Since the last success."))
    rests_until = models.DateTimeField(_("rests until"), null=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    # A worker sets them: nobody who edits a webhook needs to see them.
    UNSEEN_FIELDS = ("failing_since", "failures", "rests_until")

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_enabled=True, disabled_reason="") | (Q(is_enabled=False) & ~Q(disabled_reason="")),
                name="webhook_disabled_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """What happened, as it is sent: the bytes of `body`, each time.

    Events of one `subject`, such as a DSP or a subscription, are sent in the order of their ids. Of events about the
    same DSR or limit, this is the order of their commits, too, as their writers take turns.
    """

    uid = models.UUIDField(default=uuid4, unique=True)
    type = models.CharField(_("event"), max_length=40)
    subject = models.CharField(_("subject"), max_length=255)
    body = models.TextField(_("content"))
    at = models.DateTimeField(_("time"), db_index=True)

    class Meta:
        default_permissions = ()  # It is seen with its deliveries.
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return self.type

    @property
    def message_id(self) -> str:
        """The id that the receiver knows it by. It is the same each time that the event is sent."""
        return f"msg_{self.uid.hex}"


class Delivery(models.Model):
    """An event on its way to a webhook, with the last answers of the receiver.

    Until `holds_until`, a delivery that failed holds back the later ones of its subject; `passed_over_at` says when one
    of them was sent before it. It is waiting with a `due_at`, or it has ended.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        GIVEN_UP = "given_up", _("given up")

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", verbose_name=_("event"))
    subject = models.CharField(_("subject"), max_length=255)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.WAITING)
    due_at = models.DateTimeField(_("due at"), null=True)
    attempts = models.IntegerField(_("attempts"), default=0)
    holds_until = models.DateTimeField(_("holds back later events until"), null=True)
    passed_over_at = models.DateTimeField(
        _("passed over at"), null=True, help_text=_("When a later event of the same subject was sent before it.")
    )
    ended_at = models.DateTimeField(_("ended at"), null=True)
    # The latest attempts, the last one last: see `dsrhub.webhooks.sending.Answer`.
    answers = models.JSONField(_("last answers"), default=list)

    class Meta:
        default_permissions = ()  # Who may view a webhook may view its log.
        verbose_name = _("delivery to a webhook")
        verbose_name_plural = _("deliveries to webhooks")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", due_at__isnull=False) | (~Q(state="waiting") & Q(due_at__isnull=True)),
                name="delivery_due_while_waiting",
            ),
        ]
        indexes = [
            # For the log of a webhook.
            models.Index(fields=["webhook", "-id"], name="delivery_log"),
            # For what is to be sent next, and for what an event of the same subject holds back.
            models.Index(fields=["webhook", "event"], condition=Q(state="waiting"), name="delivery_waiting"),
            models.Index(
                fields=["webhook", "subject", "event"], condition=Q(state="waiting"), name="delivery_of_subject"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
