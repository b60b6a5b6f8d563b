"""What a request may contain: its parameters, and the ids in its path."""

from collections.abc import Collection
from functools import cache
from typing import Any, Self

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from dsrhub.exceptions import NotFoundError
from dsrhub.texts.marked import Text
from dsrhub.values.numbers import plain_whole_number


class Parameters(serializers.Serializer[Any]):
    """Parameters of a request. A parameter that is sent twice is refused, as either value could be meant."""

    @classmethod
    def of(
        cls, sent: Any, *, ignore_unknown: bool = False, beside: Collection[str] = (), **in_path: str
    ) -> dict[str, Any]:
        """The validated values of a query or a form. Raises ValidationError, which names the parameter.

        Something else reads the parameters `beside`, such as filters of a list.
        """
        parameters = cls._shared()
        known = sent.keys() & (parameters.fields.keys() - in_path.keys() | {*beside})
        refused = {name: [_("Send this parameter once."), "repeated"] for name in known if len(sent.getlist(name)) > 1}
        if not ignore_unknown:
            refused |= {name: [_("This endpoint has no such parameter."), "unknown"] for name in sent.keys() - known}
        if refused:
            raise serializers.ValidationError({name: [ErrorDetail(*why)] for name, why in refused.items()})
        # A plain dict: DRF takes a blank value in a form's data for a missing one.
        own = {name: value for name, value in sent.items() if name not in beside}
        return dict(parameters.run_validation(own | in_path))

    @classmethod
    @cache
    def _shared(cls) -> Self:
        """One instance for all requests: copying its fields takes longer than validating, which does not change it."""
        return cls()


class Body(serializers.Serializer[Any]):
    """The JSON object in the body of a request. What it has no name for is refused: it may be a slip of the pen."""

    @classmethod
    def of(cls, sent: Any) -> dict[str, Any]:
        """The validated values. Raises ValidationError, which names the property."""
        body = cls(data=sent)
        if isinstance(sent, dict) and (unknown := sent.keys() - body.fields.keys()):
            why = ErrorDetail(_("This endpoint has no such parameter."), "unknown")
            raise serializers.ValidationError({str(name): [why] for name in unknown})
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


def number_in_path(text: str, *, largest: int) -> int | None:
    """The id that stands in a path, in a column of which `largest` is the largest number; None if it is none."""
    number = plain_whole_number(text) if len(text.removeprefix("-")) <= len(str(largest)) else None
    return number if number is not None and -largest - 1 <= number <= largest else None


def id_in_path(text: str, *, largest: int, missing: type[NotFoundError], reason: Text) -> int:
    """The id of an object that a path names. Raises `missing` for a text that is none: there is no such object.

    The `reason` says so, with a place for the `id`.
    """
    number = number_in_path(text, largest=largest)
    if number is None:
        raise missing(reason % {"id": repr(text)}, id=text)
    return number
