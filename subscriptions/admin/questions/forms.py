"""The forms of the pages of questions about usage."""

import re
from datetime import date, timedelta
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dsrhub.import_export.button import PAGE_FILES
from dsrhub.values.forms import PlainDecimalField, WholeNumberField
from dsrhub.values.numbers import DECIMALS, INTEGER_DIGITS
from subscriptions.aggregates.daily import usage_latest_day
from subscriptions.exceptions import SubscriptionNotFound
from subscriptions.models import Subscription, UsageType
from subscriptions.records.events import usage_day
from subscriptions.subscribers.selectors import subscription_get

# What a page shows of usage by day: without a range, the latest days; and never more days than this.
LATEST_DAYS, MOST_DAYS = 31, 366
LARGEST_ID = 2**63 - 1
DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DayRange(NamedTuple):
    """The days from `start` to `end`, both inclusive."""

    start: date
    end: date


class DayField(forms.DateField):
    """A day in the form 2026-01-31, whatever the language of the user is."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ("%Y-%m-%d",)
    default_error_messages: ClassVar = {"invalid": gettext_lazy("Enter a date such as 2026-01-31.")}

    def to_python(self, value: Any) -> date | None:
        # Django also reads `2026-1-1` and the digits of other scripts.
        if isinstance(value, str) and value.strip() and DAY.fullmatch(value.strip()) is None:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class PriceLimitField(PlainDecimalField):
    """An exact price of zero or more, with as many digits as prices have."""

    widget = forms.TextInput(attrs={"inputmode": "decimal"})

    def __init__(self, **kwargs: Any) -> None:
        label, most_digits = gettext_lazy("Price limit"), INTEGER_DIGITS + DECIMALS
        super().__init__(label=label, min_value=0, max_digits=most_digits, decimal_places=DECIMALS, **kwargs)


class RangeForm(forms.Form):
    """A range of days, and the format of the file that the answer may come as."""

    start = DayField(label=gettext_lazy("From"), required=False)
    end = DayField(label=gettext_lazy("To (inclusive)"), required=False)
    # Links have it, and the form never sends it.
    format = forms.ChoiceField(choices=[(name, name) for name in PAGE_FILES], required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        start, end = chosen.get("start"), chosen.get("end")
        if start and end and start > end:
            self.add_error("end", _("The range ends before it starts."))
        return chosen

    def query(self) -> str:
        """The query string that asks the same, for the links to files and to the next page."""
        sent = {name: self[name].value() for name in self.fields if name not in ("format", "after")}
        return urlencode({name: value for name, value in sent.items() if value not in (None, "")})


class DaysForm(RangeForm):
    """A range that is shown day by day: both of its ends or, for the latest days with usage, none."""

    def clean(self) -> dict[str, Any]:
        chosen = super().clean()
        start, end = chosen.get("start"), chosen.get("end")
        for name, day, other in (("start", start, end), ("end", end, start)):
            if other and not day and name not in self.errors:
                self.add_error(name, _("Select a day."))
        if start and end and (end - start).days >= MOST_DAYS:
            self.add_error("end", _("Choose at most %(most)s days.") % {"most": MOST_DAYS})
        return chosen

    def days(self, *, subscription_id: int | None = None) -> DayRange:
        """The chosen days, else the latest ones with usage: up to today if there is none. The form then shows them."""
        chosen = self.cleaned_data
        if chosen["start"]:
            return DayRange(chosen["start"], chosen["end"])
        latest = usage_latest_day(subscription_id=subscription_id) or usage_day(timezone.now())
        days = DayRange(latest - timedelta(days=LATEST_DAYS - 1), latest)
        sent = {name: self.data.get(name) for name in self.data}
        self.data = sent | {"start": days.start.isoformat(), "end": days.end.isoformat()}
        return days


class UsageForm(DaysForm):
    carrier = forms.ChoiceField(
        label=gettext_lazy("Carrier"),
        choices=[("", gettext_lazy("All")), *Subscription.Carrier.choices],
        required=False,
    )
    usage_type = forms.ChoiceField(
        label=gettext_lazy("Usage type"), choices=[("", gettext_lazy("All")), *UsageType.choices], required=False
    )
    subscription = WholeNumberField(
        label=gettext_lazy("Subscription"),
        required=False,
        min_value=0,
        max_value=LARGEST_ID,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )

    def clean_usage_type(self) -> UsageType | None:
        return UsageType(self.cleaned_data["usage_type"]) if self.cleaned_data["usage_type"] else None

    def clean_subscription(self) -> int | None:
        number: int | None = self.cleaned_data["subscription"]
        if number is not None:
            _require_subscription(number)
        return number

    def filters(self) -> dict[str, Any]:
        """The arguments of `usage_metrics` beside the range."""
        chosen = self.cleaned_data
        return {
            "carrier": chosen["carrier"] or None,
            "usage_type": chosen["usage_type"],
            "subscription_id": chosen["subscription"],
        }


class UsageOfOneForm(DaysForm):
    price_limit = PriceLimitField(required=False)


class OverLimitForm(RangeForm):
    price_limit = PriceLimitField()
    after = WholeNumberField(min_value=0, max_value=LARGEST_ID, required=False, widget=forms.HiddenInput)

    field_order = ("price_limit",)


def _require_subscription(number: int) -> None:
    try:
        subscription_get(subscription_id=number)
    except SubscriptionNotFound:
        raise forms.ValidationError(_("There is no such subscription."), code="subscription_not_found") from None
