"""Generators of model-bakery for the fields of dsrhub. tests/conftest.py imports this module."""

from decimal import Decimal

from model_bakery import baker

baker.generators.add("dsrhub.values.fields.NumericField", lambda: Decimal("1.25"))
