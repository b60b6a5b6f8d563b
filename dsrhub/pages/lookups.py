"""What the lists of the admin filter and search by: only what somebody chose."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignObject, ManyToManyField
from django.http import HttpRequest

from dsrhub.texts.code_names import NAMED
from dsrhub.texts.folding import folded_search

# The lookups that the filters of Django's sidebar send for a field.
OF_FILTERS = ("", "__exact", "__isnull", "__gte", "__lt")
OF_DATES = ("__year", "__month", "__day")


class ChosenLookupsAdmin(admin.ModelAdmin):
    """Refuses every parameter of a list or export that neither its filters nor `lookups` name.

    Django admits each field of the model with each lookup, and some paths through relations: enough to read a secret
    letter by letter. All registered admins have this base.
    """

    # Parameters that links of other pages send, beside those of `list_filter` and `date_hierarchy`.
    lookups: ClassVar[Sequence[str]] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        chosen = set(self.lookups)
        if self.date_hierarchy:
            chosen |= {self.date_hierarchy + suffix for suffix in OF_DATES}
        for item in self.list_filter:
            chosen |= _parameters(self.model, item)
        if lookup not in chosen:
            # The list then redirects to itself without filters, as Django does for names of no field.
            raise IncorrectLookupParameters(f"Nobody chose to filter by {lookup}.")
        return True

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Search boxes of all lists, and of fields that people choose by searching, find folded texts."""
        fields = super().get_search_fields(request)
        return [field if field.endswith(NAMED) else folded_search(field) for field in fields]

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        """Other pages choose an object by its primary key only."""
        try:
            return bool(self.opts.get_field(to_field).primary_key)  # type: ignore[union-attr]
        except (FieldDoesNotExist, AttributeError):
            return False


def _parameters(model: Any, item: Any) -> set[str]:
    """The parameters that an item of `list_filter` sends."""
    if isinstance(item, type) and issubclass(item, admin.SimpleListFilter):
        return {str(item.parameter_name)}
    path = item[0] if isinstance(item, (list, tuple)) else item
    field = get_fields_from_path(model, path)[-1]
    if isinstance(field, ForeignObject | ManyToManyField):
        return {f"{path}__{field.target_field.name}__exact", f"{path}__isnull"}
    return {path + suffix for suffix in OF_FILTERS}
