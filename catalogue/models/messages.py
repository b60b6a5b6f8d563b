"""Messages, and the names of the parties that send and get them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _

from catalogue.models.templates import TemplateVersion


class PartyAlias(models.Model):
    """The name under which a sender or a recipient of messages is known here.

    It is found by the party id (DPID) of the party, or by the name that it uses.
    """

    class Role(models.TextChoices):
        DSP = "dsp", _("DSP")
        SOCIETY = "society", _("society")

    role = models.CharField(_("role"), max_length=7, choices=Role)
    party_id = models.CharField(_("party id"), max_length=100, blank=True, help_text=_("The DPID in the messages."))
    party_name = models.CharField(_("name in messages"), max_length=100, blank=True)
    known_as = models.CharField(_("known as"), max_length=100)

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        ordering = ["role", "known_as", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(party_id="") | ~Q(party_name=""), name="alias_of_a_party"),
            models.UniqueConstraint(fields=["role", "party_id"], condition=~Q(party_id=""), name="alias_once_by_id"),
            models.UniqueConstraint(
                fields=["role", "party_name"], condition=~Q(party_name=""), name="alias_once_by_name"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party_name or self.party_id}: {self.known_as}"


class AbstractMessage(models.Model):
    """What a message says about itself, and how it was delivered."""

    format = models.CharField(_("format"), max_length=20)
    sender_name = models.CharField(_("sender"), max_length=100)
    sender_id = models.CharField(_("sender's party id"), max_length=100, blank=True)
    recipient_name = models.CharField(_("recipient"), max_length=100, blank=True)
    recipient_id = models.CharField(_("recipient's party id"), max_length=100, blank=True)
    message_id = models.CharField(_("message id"), max_length=255)
    created = models.CharField(_("created"), max_length=100, blank=True, help_text=_("As the sender wrote it."))
    profile = models.CharField(_("profile"), max_length=100)
    profile_version = models.CharField(_("profile version"), max_length=100)
    period_start = models.DateField(_("period start"))
    period_end = models.DateField(_("period end"))
    template_version = models.ForeignKey(
        TemplateVersion,
        models.PROTECT,
        related_name="%(class)ss",
        null=True,
        blank=True,
        verbose_name=_("template"),
        help_text=_("The version of the template that read it. Messages of DDEX have none."),
    )
    files = models.JSONField(_("files"), help_text=_("The name and the SHA-256 of each file, in their order."))
    warning_count = models.BigIntegerField(_("warnings"), default=0)
    imported_at = models.DateTimeField(_("imported at"), auto_now_add=True)
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("imported by"),
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.sender_name} {self.message_id}"


class ReportMessage(AbstractMessage):
    """A delivered message whose sales contexts are DSRs. It stands as long as one of them does.

    The sender never uses a message id for another message. Its party id identifies a sender that has one.
    """

    class Meta:
        verbose_name_plural = _("messages")
        verbose_name = _("message")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Coalesce(NullIf(F("sender_id"), Value("")), F("sender_name")), "message_id", name="message_once"
            ),
        ]
