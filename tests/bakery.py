"""What model-bakery must know of the fields of dsrhub. tests/conftest.py imports it, so it holds in every test."""

from decimal import Decimal

from model_bakery import baker

baker.generators.add("dsrhub.fields.NumericField", lambda: Decimal("1.25"))
