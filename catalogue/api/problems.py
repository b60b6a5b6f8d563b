"""Problems in answers: the errors and warnings of DSRs, messages and uploads."""

from typing import Any

from django.views.decorators.vary import vary_on_headers
from rest_framework import serializers

from catalogue.api.fields import WithoutEmpty
from catalogue.models import ReportProblem
from catalogue.reports.formats.registry import explanation
from catalogue.reports.problems import Excerpt
from dsrhub.api.fields import Int64Field

# For views whose answers have problems: these are explained in the language of the request.
EXPLAINED = vary_on_headers("Accept-Language")


class ExplanationField(serializers.CharField):
    """The code of a problem, in words."""

    def to_representation(self, value: Any) -> str:
        return str(explanation(value).translated())


class ExcerptSerializer(serializers.Serializer[Any]):
    """A part of a line as it was delivered, tabs included. `…` stands for what is cut off."""

    before = serializers.CharField(help_text="What is before the cells in question.")
    marked = serializers.CharField(help_text="The cells in question. Blank where the line lacks them.")
    after = serializers.CharField(help_text="What is after them.")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return Excerpt(*instance)._asdict()


class ProblemSerializer(WithoutEmpty):
    """An error or a warning in a DSR. Properties that do not apply are omitted."""

    id = Int64Field(required=False)
    level = serializers.ChoiceField(ReportProblem.Level.choices, required=False)
    code = serializers.CharField(help_text="The code, which never changes.")
    message = ExplanationField(source="code", help_text="What the code means, and what helps, for people.")
    line = Int64Field(required=False)
    column = serializers.CharField(required=False)
    value = serializers.CharField(required=False)
    file = serializers.CharField(required=False, help_text="In a message of several files, the name of the file.")
    context_number = serializers.IntegerField(
        required=False, help_text="In a delivery of several DSRs, the number of the DSR, from 1."
    )
    excerpt = ExcerptSerializer(required=False, help_text="The delivered line around the cells in question.")
