"""The pages of territories, currencies and exchange rates."""

from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalogue.admin.cells import link
from catalogue.admin.dsr_groups import DSRGroupAdmin
from catalogue.models import Currency, EcbRate, OperatorRate, Territory
from catalogue.rates import services as rates
from dsrhub.admin import ChangedAsShownAdmin, DeletedByServiceAdmin, ReadOnlyAdmin
from dsrhub.cells import grouped
from dsrhub.exceptions import DsrhubError


@admin.register(Territory)
class TerritoryAdmin(DSRGroupAdmin):
    of_dsrs, dsr_lookup = "territory", "territory__code_2__exact"
    list_display = ["code_2", "name", "local_currency"]
    list_select_related = ["local_currency"]
    search_fields = ["code_2", "name"]


@admin.register(Currency)
class CurrencyAdmin(DSRGroupAdmin):
    of_dsrs, dsr_lookup = "currency", "currency__code__exact"
    list_display = ["code", "name", "symbol"]
    search_fields = ["code", "name"]


@admin.register(EcbRate)
class EcbRateAdmin(ReadOnlyAdmin):
    list_display = ["day", "currency", "rate"]
    list_filter = [("currency", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["currency"]
    date_hierarchy = "day"
    show_full_result_count = False


class OperatorRateForm(forms.ModelForm):
    class Meta:
        help_texts = {
            "period_start": _("The rate applies to DSRs of exactly this period."),
            "period_end": _("Last day (inclusive)."),
        }

    def clean(self) -> dict[str, Any]:
        """Run the checks of the service and show each error next to its field."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            instance = self.instance
            key = {
                "currency": cleaned["currency"].pk if "currency" in cleaned else instance.currency_id,
                "period_start": cleaned.get("period_start", instance.period_start),
                "period_end": cleaned.get("period_end", instance.period_end),
            }
            try:
                rates.operator_rate_check(**key, rate=cleaned["rate"])
            except DsrhubError as error:
                field = next((name for name in error.extra if name in self.fields), None)
                self.add_error(field, forms.ValidationError(error.message, code=error.code))
            else:
                self._refuse_other_rate(OperatorRate.objects.filter(**key).exclude(pk=instance.pk).first())
        return cleaned

    def _refuse_other_rate(self, stored: OperatorRate | None) -> None:
        """Say both amounts where the rate of a new form is stored already. Django refuses it without them."""
        new = self.cleaned_data["rate"]
        if stored is not None and stored.rate != new:
            values = {"old": grouped(stored.rate), "new": grouped(new)}
            self.add_error("rate", _("The stored rate is %(old)s. Open it to change it to %(new)s.") % values)


@admin.register(OperatorRate)
class OperatorRateAdmin(ChangedAsShownAdmin, DeletedByServiceAdmin):
    form = OperatorRateForm
    list_display = ["currency", "period_start", "period_end", "rate", "note", "dsrs", "entered_by", "entered_at"]
    list_filter = [("currency", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["currency", "entered_by"]
    actions = None  # Rates are deleted one by one: the DSRs of each must find another rate.

    @admin.display(description="DSRs")
    def dsrs(self, rate: OperatorRate) -> SafeString:
        period = {"period_start": rate.period_start, "period_end": rate.period_end}
        return link(_("Show"), "dsr_changelist", currency__code__exact=rate.currency_id, **period)

    def locked(self, ids: Collection[Any]) -> Iterable[OperatorRate]:
        # Each change of rates takes this lock first. It also covers a rate that two users are about to add.
        rates.rates_lock(shared=False)
        return OperatorRate.objects.filter(pk__in=ids)

    def get_readonly_fields(self, request: HttpRequest, obj: OperatorRate | None = None) -> list[str]:
        # A rate for another currency or period is a new rate.
        return ["currency", "period_start", "period_end"] if obj else []

    def save_model(self, request: HttpRequest, obj: OperatorRate, form: Any, change: bool) -> None:
        key = {"currency": obj.currency_id, "period_start": obj.period_start, "period_end": obj.period_end}
        changed = rates.operator_rate_set(**key, rate=obj.rate, note=obj.note, user=request.user)  # type: ignore[arg-type]
        obj.pk = OperatorRate.objects.get(**key).pk
        if "rate" in form.changed_data and change:
            values = {"old": grouped(form.initial["rate"]), "new": grouped(obj.rate)}
            messages.info(request, _("The rate was %(old)s and is now %(new)s.") % values)
        self._notify(request, changed)

    def delete_model(self, request: HttpRequest, obj: OperatorRate) -> None:
        self.require_as_shown(request, [obj.pk])
        self._notify(request, rates.operator_rate_delete(operator_rate=obj, user=request.user))  # type: ignore[arg-type]

    def _notify(self, request: HttpRequest, changed: rates.RatesChanged) -> None:
        text = ngettext("%d DSR has a new rate.", "%d DSRs have a new rate.", changed.dsrs)
        messages.info(request, text % changed.dsrs)
