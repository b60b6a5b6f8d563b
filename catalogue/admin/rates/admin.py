"""The pages of territories, currencies and exchange rates."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import ForeignKey, Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalogue.admin.cells import link
from catalogue.admin.dsr_groups import DSRGroupAdmin
from catalogue.admin.imports.at_once import check_again
from catalogue.admin.rates.tables import impact_table, series_table
from catalogue.imports.queue.selectors import jobs_of_upload
from catalogue.imports.queue.shown import lacks_rate
from catalogue.models import Currency, EcbRate, OperatorRate, Territory
from catalogue.rates import impact
from catalogue.rates import services as rates
from dsrhub.exceptions import DsrhubError
from dsrhub.pages.confirmation import require_as_shown, shown_digest
from dsrhub.pages.model_admins import ChangedAsShownAdmin, DeletedByServiceAdmin, ReadOnlyAdmin
from dsrhub.pages.site import ChoicesView
from dsrhub.texts.code_names import ShownName, currency_names, territory_names
from dsrhub.values.cells import grouped

# The order of rates by the name of their currency.
NAME_OF_CURRENCY = ShownName("currency__code", "currency__name", currency_names)


@admin.register(Territory)
class TerritoryAdmin(DSRGroupAdmin):
    of_dsrs, dsr_lookup = "territory", "territory__code_2__exact"
    list_display = ["code_2", "shown_name", "local_currency"]
    list_select_related = ["local_currency"]
    fields = ["code_2", "shown_name", "local_currency"]
    search_fields = ["code_2", "name", "code_2__territory_named"]

    @admin.display(description=_("name"), ordering=ShownName("code_2", "name", territory_names))
    def shown_name(self, territory: Territory) -> str:
        return territory.shown_name


@admin.register(Currency)
class CurrencyAdmin(DSRGroupAdmin):
    of_dsrs, dsr_lookup = "currency", "currency__code__exact"
    list_display = ["code", "shown_name", "symbol"]
    fields = ["code", "shown_name", "symbol"]
    search_fields = ["code", "name", "code__currency_named"]

    @admin.display(description=_("name"), ordering=ShownName("code", "name", currency_names))
    def shown_name(self, currency: Currency) -> str:
        return currency.shown_name


@admin.register(EcbRate)
class EcbRateAdmin(ReadOnlyAdmin):
    list_display = ["day", "currency", "currency_name", "rate"]
    list_filter = [("currency", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["currency"]
    search_fields = ["currency__code", "currency__name", "currency__code__currency_named"]
    search_help_text = _("Code or name of the currency")
    date_hierarchy = "day"
    show_full_result_count = False
    change_form_template = "admin/catalogue/operatorrate/change_form.html"

    @admin.display(description=_("name"), ordering=NAME_OF_CURRENCY)
    def currency_name(self, rate: EcbRate) -> str:
        return rate.currency.shown_name

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        rate = context["original"]
        context["series"] = series_table(currency=rate.currency_id, period_start=rate.day, period_end=rate.day)
        return super().render_change_form(request, context, *args, **kwargs)


# --- Choosing a currency by its name ---------------------------------------------------------------------------


def currency_label(currency: Currency) -> str:
    return f"{currency.code} – {currency.shown_name}"


class CurrencyChoices(ChoicesView):
    """The currencies that a search for a code or a name finds, for users who may enter rates."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.has_perm(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def process_request(self, request: HttpRequest) -> Any:
        """The term, and what Django's view else reads from the address."""
        field = OperatorRate._meta.get_field("currency")
        return request.GET.get("term", ""), admin.site.get_model_admin(Currency), field, "code"

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {"id": obj.pk, "text": currency_label(obj)}

    def has_perm(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("catalogue.add_operatorrate")


class CurrencyField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return currency_label(obj)


class CurrencySelect(AutocompleteSelect):
    url_name = "%s:catalogue_operatorrate_currencies"

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        # Django looks up what was sent, and the database refuses some texts.
        return super().optgroups(name, [one for one in value if str(one).isalnum()], attrs)


class OperatorRateForm(forms.ModelForm):
    class Meta:
        help_texts = {
            "currency": _("Search for its code or its name. The euro needs no rate."),
            "period_start": _("First day. The rate applies to DSRs of exactly this period."),
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


class Unconfirmed(Exception):
    """A rate is not saved yet: the user has not seen the DSRs that it concerns, or they have changed since."""

    def __init__(self, rate: OperatorRate, found: impact.RateImpact) -> None:
        super().__init__()
        self.rate, self.found = rate, found


@admin.register(OperatorRate)
class OperatorRateAdmin(ChangedAsShownAdmin, DeletedByServiceAdmin):
    form = OperatorRateForm
    change_form_template = "admin/catalogue/operatorrate/change_form.html"
    delete_confirmation_template = "admin/catalogue/operatorrate/delete_confirmation.html"
    list_display = [
        *("currency", "currency_name", "period_start", "period_end", "rate", "note", "dsrs"),
        *("entered_by", "entered_at"),
    ]
    list_filter = [("currency", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["currency", "entered_by"]
    search_fields = ["currency__code", "currency__name", "currency__code__currency_named", "note"]
    search_help_text = _("Code or name of the currency, or note")
    actions = None  # Rates are deleted one by one: the DSRs of each must find another rate.

    @admin.display(description=_("name"), ordering=NAME_OF_CURRENCY)
    def currency_name(self, rate: OperatorRate) -> str:
        return rate.currency.shown_name

    @admin.display(description=_("DSRs"))
    def dsrs(self, rate: OperatorRate) -> SafeString:
        period = {"period_start": rate.period_start, "period_end": rate.period_end}
        return link(_("Show"), "dsr_changelist", currency__code__exact=rate.currency_id, **period)

    def get_urls(self) -> list[URLPattern]:
        search = self.admin_site.admin_view(CurrencyChoices.as_view(admin_site=self.admin_site))
        return [path("currencies/", search, name="catalogue_operatorrate_currencies"), *super().get_urls()]

    def formfield_for_foreignkey(self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "currency":
            kwargs |= {"form_class": CurrencyField, "widget": CurrencySelect(db_field, self.admin_site)}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def locked(self, ids: Collection[Any]) -> Iterable[OperatorRate]:
        # Each change of rates takes this lock first. It also covers a rate that two users are about to add.
        rates.rates_lock(shared=False)
        return OperatorRate.objects.filter(pk__in=ids)

    def get_readonly_fields(self, request: HttpRequest, obj: OperatorRate | None = None) -> list[str]:
        # A rate for another currency or period is a new rate.
        return ["currency", "period_start", "period_end"] if obj else []

    # --- Saving ----------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Save a rate in two steps: the page of the second one shows the DSRs that it concerns, if there are any."""
        try:
            page = super().changeform_view(request, object_id, form_url, extra_context)
        except Unconfirmed as unconfirmed:
            return self._confirmation(request, unconfirmed)
        saved, upload = getattr(request, "saved_rate", None), request.GET.get("upload", "")
        if saved is not None and upload.isalnum() and (address := _checked_again(request, upload, saved)):
            return HttpResponseRedirect(address)
        return page

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        key = _key_of(context["original"], context["adminform"].form)
        context["series"] = series_table(**key) if key else None
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: OperatorRate, form: Any, change: bool) -> None:
        self._require_confirmed(request, obj)
        changed = rates.operator_rate_set(**_key(obj), rate=obj.rate, note=obj.note, user=cast(User, request.user))
        obj.pk = OperatorRate.objects.get(**_key(obj)).pk
        request.saved_rate = obj  # type: ignore[attr-defined]
        if "rate" in form.changed_data and change:
            values = {"old": grouped(form.initial["rate"]), "new": grouped(obj.rate)}
            messages.info(request, _("The rate was %(old)s and is now %(new)s.") % values)
        self._notify(request, changed)

    def _require_confirmed(self, request: HttpRequest, rate: OperatorRate) -> None:
        """Raise Unconfirmed unless the user has seen just the DSRs that a rate concerns. The rates are locked."""
        found = impact.operator_rate_impact(**_key(rate), rate=rate.rate, note=rate.note, number=rate.pk)
        if found.count and request.POST.get("concerned") != shown_digest(found.dsrs):
            raise Unconfirmed(rate, found)

    def _confirmation(self, request: HttpRequest, unconfirmed: Unconfirmed) -> TemplateResponse:
        if "concerned" in request.POST:
            messages.warning(request, _("The DSRs concerned have changed since. Review them again."))
        rate, found = unconfirmed.rate, unconfirmed.found
        hidden = [pair for pair in request.POST.items() if pair[0] not in ("csrfmiddlewaretoken", "concerned")]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Save the rate?"),
            "opts": self.opts,
            "rate": rate,
            "amount": grouped(rate.rate),
            "currency": currency_label(rate.currency),
            "impact": impact_table(found, rate),
            "series": series_table(**_key(rate), entered=rate.rate),
            "hidden": [*hidden, ("concerned", shown_digest(found.dsrs))],
            "back": _form_address(request, rate),
        }
        return TemplateResponse(request, "admin/catalogue/operatorrate/confirm.html", context)

    # --- Deleting --------------------------------------------------------------------------------------------------

    def note_shown(self, request: HttpRequest, objects: Iterable[Model]) -> None:
        """Remember the rate, and the DSRs that lose it."""
        shown = [rate for rate in objects if isinstance(rate, OperatorRate)]
        super().note_shown(request, [*shown, *(dsr for rate in shown for dsr in _dsrs_with(rate))])

    def render_delete_form(self, request: HttpRequest, context: Any) -> HttpResponse:
        rate = context["object"]
        try:
            found = impact_table(impact.deletion_impact(**_key(rate)), rate)
        except DsrhubError as error:
            # Only DSRs without another rate are in the way.
            context |= {"refusal": error.message} if _dsrs_with(rate) else {}
        else:
            context |= {"impact": found}
        return super().render_delete_form(request, context)

    def delete_model(self, request: HttpRequest, obj: OperatorRate) -> None:
        stored = list(self.locked([obj.pk]))
        require_as_shown([*stored, *_dsrs_with(obj)], request.POST.get("shown", ""))
        self._notify(request, rates.operator_rate_delete(operator_rate=obj, user=request.user))  # type: ignore[arg-type]

    def _notify(self, request: HttpRequest, changed: rates.RatesChanged) -> None:
        text = ngettext("%d DSR has a new rate.", "%d DSRs have a new rate.", changed.dsrs)
        messages.info(request, text % changed.dsrs)


def _checked_again(request: HttpRequest, upload: str, rate: OperatorRate) -> str | None:
    """Check the files of an upload again that were refused without this rate. Return the page of the upload.

    None if there is no such upload, or the user may not import.
    """
    jobs = jobs_of_upload(upload) if request.user.has_perm("catalogue.import_dsr") else []
    check_again(request, [(job, None) for job in jobs if lacks_rate(job, **_key(rate))])
    return reverse("admin:catalogue_dsr_upload", args=[upload]) if jobs else None


def _key(rate: OperatorRate) -> dict[str, Any]:
    return {"currency": rate.currency_id, "period_start": rate.period_start, "period_end": rate.period_end}


def _key_of(rate: OperatorRate | None, form: Any) -> dict[str, Any] | None:
    """The currency and the period of a rate, or those with which a form begins; None where they are not known."""
    if rate is not None:
        return _key(rate)
    key: dict[str, Any] = {}
    for name in ("currency", "period_start", "period_end"):
        try:
            key[name] = form.fields[name].clean(form[name].value())
        except forms.ValidationError:
            return None
    return key | {"currency": key["currency"].pk}


def _dsrs_with(rate: OperatorRate) -> Sequence[Model]:
    """The DSRs that get another rate where this one is deleted."""
    return list(rates.dsrs_of_period(**_key(rate)).order_by("id"))


def _form_address(request: HttpRequest, rate: OperatorRate) -> str:
    """The form again, with what was entered."""
    if not rate._state.adding:
        return request.get_full_path()
    query = {**_key(rate), "rate": f"{rate.rate:f}", "note": rate.note}
    upload = request.GET.get("upload")
    return reverse("admin:catalogue_operatorrate_add", query=query | ({"upload": upload} if upload else {}))
