"""Object types of graphene-django for our models: which scalar or enum a column becomes, and its description."""

from collections.abc import Mapping
from typing import Any

import graphene
from django.db import models
from graphene_django import DjangoObjectType
from graphene_django.converter import EnumValueField, convert_django_field

from dsrhub.fields import NumericField
from graphql_schema.scalars import BigInt, Date, Decimal, enum_of_values


class ModelType(DjangoObjectType):
    """An object type with the columns of a model. `Meta.fields` maps each field to its description.

    A description is a text for API users, so it does not come from the column's `help_text`, which is for the admin.
    A field that is no column, or not the column as it is, is declared in the class body as in any object type.
    """

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(cls, *, fields: Mapping[str, str], **options: Any) -> None:
        # Our enums have the values of REST; graphene-django would make enums with other names.
        super().__init_subclass_with_meta__(fields=list(fields), convert_choices_to_enum=False, **options)
        declared = cls._meta.fields.copy()
        described = {name: with_description(declared.pop(name), text) for name, text in fields.items()}
        # The fields of `Meta.fields` come first, in that order.
        cls._meta.fields.clear()
        cls._meta.fields.update(described | declared)


def with_description(field: Any, description: str) -> Any:
    if isinstance(field, graphene.Dynamic):
        # A foreign key: its type may not exist yet.
        return graphene.Dynamic(lambda: with_description(field.get_type(), description))
    field.description = description
    return field


@convert_django_field.register(NumericField)
def convert_numeric(column: NumericField, registry: Any = None) -> Any:
    return Decimal(required=not column.null)


@convert_django_field.register(models.BigIntegerField)
def convert_big_integer(column: models.BigIntegerField, registry: Any = None) -> Any:
    return BigInt(required=not column.null)


@convert_django_field.register(models.DateField)
def convert_date(column: models.DateField, registry: Any = None) -> Any:
    return Date(required=not column.null)


@convert_django_field.register(models.CharField)
def convert_text(column: models.CharField, registry: Any = None) -> Any:
    """A column with choices becomes our enum of these choices, in which a blank value is null."""
    if not column.choices:
        return graphene.String(required=not column.null)
    enum = enum_of_values([value for value, _ in column.flatchoices])
    return EnumValueField(enum, required=not (column.null or column.blank))
