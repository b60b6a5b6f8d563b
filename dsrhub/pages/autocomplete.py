"""Fields of the admin that people choose by searching."""

from typing import Any

from django.contrib.admin.widgets import AutocompleteSelect
from django.http import HttpRequest

from dsrhub.values.numbers import plain_id


class ChosenByAutocomplete(AutocompleteSelect):
    """Django's widget fails on a sent value that is no id, when the page shows the form again with its errors."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if plain_id(str(one)) is not None], attrs)


class AutocompleteMixin:
    """Fields that people choose by searching."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):  # type: ignore[attr-defined]
            kwargs["widget"] = ChosenByAutocomplete(db_field, self.admin_site)  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
