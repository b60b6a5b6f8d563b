"""Filters of the lists of DSRs and of what belongs to them."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalogue.dsrs.selectors import DSRSearch
from catalogue.models import DSR, RejectedDelivery, ReportMessage, RevenueKind, UseTypeTotal
from catalogue.reports.formats.registry import explanation
from dsrhub.values.numbers import plain_id


class OwnerFilter(admin.SimpleListFilter):
    """Shows the object that a list is limited to, and removes this limit.

    Other pages link to the limited list: the filter offers no choice, as there may be thousands of objects.
    """

    owners: ClassVar[type[Model]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        if not self.has_output():
            return []
        return [(owner.pk, str(owner)) for owner in self.owners._default_manager.filter(pk=self._number())]

    def has_output(self) -> bool:
        return self.value() is not None  # Django omits a filter without output.

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.parameter_name: self._number()}) if self.parameter_name else queryset

    def _number(self) -> int:
        number = plain_id(str(self.value() or ""))
        if number is None:
            raise IncorrectLookupParameters
        return number


class DSRFilter(OwnerFilter):
    title = "DSR"
    parameter_name = "dsr"
    owners = DSR


class MessageFilter(OwnerFilter):
    title = _("message")
    parameter_name = "message"
    owners = ReportMessage


def of_message(message_number: int) -> Q:
    """The condition on problems that they are of a message as a whole, or of one of its DSRs."""
    return Q(message=message_number) | Q(dsr__message=message_number)


class ProblemMessageFilter(MessageFilter):
    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(of_message(self._number()))


class RejectionFilter(OwnerFilter):
    title = _("rejected delivery")
    parameter_name = "rejection"
    owners = RejectedDelivery


class MeaningFilter(admin.AllValuesFieldListFilter):
    """Problems by their codes, which it shows as sentences."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("meaning")

    def choices(self, changelist: Any) -> Iterator[Any]:
        everything, *of_codes = super().choices(changelist)
        yield everything
        for code, choice in zip(self.lookup_choices, of_codes, strict=True):
            # With facets, the count follows the code.
            sentence = explanation(code).translated().sentence
            yield {**choice, "display": choice["display"].replace(code, sentence, 1)}


class UseTypeFilter(admin.SimpleListFilter):
    """The DSRs that have a use type, or lines of it."""

    title = _("use type")
    parameter_name = "use_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        of_dsrs = DSR.objects.order_by().values_list("use_type", flat=True)
        of_lines = UseTypeTotal.objects.order_by().values_list("use_type", flat=True)
        return [(use_type, use_type) for use_type in sorted(filter(None, of_dsrs.union(of_lines)))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        return queryset if chosen is None else queryset.filter(pk__in=DSRSearch(use_type=chosen).dsrs().values("pk"))


class RevenueKindFilter(admin.SimpleListFilter):
    title = _("kind of revenue")
    parameter_name = "revenue_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return list(RevenueKind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value()
        if chosen is None:
            return queryset
        if chosen not in RevenueKind.values:
            raise IncorrectLookupParameters
        return queryset.filter(pk__in=DSR.objects.with_revenue(chosen).values("pk"))
