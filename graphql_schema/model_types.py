"""The base of the object types that mirror a model, and the converters of our columns for graphene-django."""

from collections.abc import Mapping
from typing import Any

import graphene
from django.db import models
from graphene_django import DjangoObjectType
from graphene_django.converter import EnumValueField, convert_django_field

from dsrhub.values.fields import NumericField
from graphql_schema.scalars import BigInt, Date, Decimal, registered_enum


class ModelType(DjangoObjectType):
    """An object type with columns of a model. `Meta.fields` maps the name of each field to its description.

    A column's `help_text` is written for the admin, so it does not describe the field. A field that differs from its
    column, or has none, is declared in the class body.
    """

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(cls, *, fields: Mapping[str, str], **options: Any) -> None:
        # The enums of graphene-django have capitalized names, ours have the values of REST: see `convert_text`.
        super().__init_subclass_with_meta__(fields=list(fields), convert_choices_to_enum=False, **options)
        declared = cls._meta.fields.copy()
        described = {name: with_description(declared.pop(name), text) for name, text in fields.items()}
        # The fields of `Meta.fields` come first, in that order.
        cls._meta.fields.clear()
        cls._meta.fields.update(described | declared)


def with_description(field: Any, description: str) -> Any:
    if isinstance(field, graphene.Dynamic):
        # The type of a foreign key may be defined later.
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
    """A column with choices becomes the enum of these choices; `EnumValueField` shows a blank value as null."""
    if not column.choices:
        return graphene.String(required=not column.null)
    enum = registered_enum([value for value, _ in column.flatchoices])
    return EnumValueField(enum, required=not (column.null or column.blank))
