"""Currencies, territories, and exchange rates."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from dsrhub.texts.code_names import currency_names, territory_names
from dsrhub.values.fields import NumericField


class Currency(models.Model):
    """A currency of ISO 4217, past ones included."""

    code = models.CharField(_("code"), max_length=3, primary_key=True)
    name = models.CharField(_("name"), max_length=100)
    symbol = models.CharField(_("symbol"), max_length=10)

    class Meta:
        verbose_name = _("currency")
        ordering = ["code"]
        verbose_name_plural = _("currencies")

    def __str__(self) -> str:
        return self.code

    @property
    def shown_name(self) -> str:
        """The name in the active language."""
        return currency_names().get(self.code, self.name)


class Territory(models.Model):
    """A territory of ISO 3166-1, or a code in use beside it (XK, and WW for the whole world)."""

    code_2 = models.CharField(_("code"), max_length=2, primary_key=True)
    name = models.CharField(_("name"), max_length=100)
    local_currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("local currency")
    )

    class Meta:
        verbose_name = _("territory")
        ordering = ["code_2"]
        verbose_name_plural = _("territories")

    def __str__(self) -> str:
        return f"{self.code_2} {self.shown_name}"

    @property
    def shown_name(self) -> str:
        """The name in the active language."""
        return territory_names().get(self.code_2, self.name)


class RateMethod(models.TextChoices):
    """The origin of the exchange rate of a DSR."""

    EURO = "euro", _("the euro itself")
    ECB_MEAN = "ecb_mean", _("mean of the ECB's reference rates")
    ECB_LAST = "ecb_last", _("the ECB's last reference rate before the period")
    OPERATOR = "operator", _("entered by an operator")


class EcbRate(models.Model):
    """A euro foreign exchange reference rate of the European Central Bank: units of the currency for one euro."""

    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    day = models.DateField(_("day"), db_index=True)
    rate = NumericField(_("rate"))

    class Meta:
        verbose_name_plural = _("ECB rates")
        ordering = ["-day", "currency"]
        verbose_name = _("ECB rate")
        constraints = [
            models.UniqueConstraint(fields=["currency", "day"], name="ecb_rate_once_a_day"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="ecb_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id} {self.day}: {self.rate}"


class OperatorRate(models.Model):
    """A rate that an operator entered for a currency and a period. It takes precedence over the ECB's rates."""

    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    period_start = models.DateField(_("period start"))
    period_end = models.DateField(_("period end"))
    rate = NumericField(_("rate"), help_text=_("Units of the currency for one euro."))
    note = models.CharField(_("note"), max_length=200, blank=True, help_text=_("The origin of the rate."))
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("entered by"),
    )
    entered_at = models.DateTimeField(_("entered at"), auto_now=True)

    class Meta:
        verbose_name = _("operator rate")
        verbose_name_plural = _("operator rates")
        ordering = ["currency", "period_start", "period_end"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "period_start", "period_end"], name="operator_rate_once"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="operator_rate_positive"),
            models.CheckConstraint(
                condition=Q(period_start__lte=F("period_end")), name="operator_rate_period_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id} {self.period_start} – {self.period_end}: {self.rate}"
