"""`NumericField` stores and returns every digit, and accepts exact numbers only."""

from decimal import Decimal, localcontext

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum

from catalogue.models import DSR, EcbRate
from dsrhub.values.fields import NumericField
from tests.catalogue import recipes

LONGEST = "9" * 30 + "." + "0" * 59 + "1"
EXACT = ["0", "1.50", "-0.10", "0.0000000000000002220446049250313", "0." + "0" * 59 + "1", LONGEST, "-" + LONGEST]


@pytest.mark.django_db
@pytest.mark.parametrize("digits", EXACT)
def test_a_number_is_read_back_with_all_its_digits(digits):
    # With this precision, every calculation with Decimal would round.
    with localcontext(prec=3):
        recipes.dsr.make(total_revenue=Decimal(digits))
        (stored,) = DSR.objects.filter(total_revenue=Decimal(digits)).values_list("total_revenue", flat=True)

    assert f"{stored:f}" == digits


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["12.50", Decimal("12.50")])
def test_texts_and_decimals_are_accepted(given):
    recipes.dsr.make(total_revenue=given)

    assert str(DSR.objects.get(total_revenue=given).total_revenue) == "12.50"


@pytest.mark.django_db
def test_exponents_and_integers_are_accepted():
    recipes.dsr.make(total_revenue="25e-1")

    dsr = DSR.objects.get(total_revenue__gt=2, total_revenue__lt=3)

    assert dsr.total_revenue == Decimal("2.5")


@pytest.mark.django_db
def test_none_is_stored_as_null():
    recipes.dsr.make(lowest_revenue=None)

    assert DSR.objects.get(lowest_revenue__isnull=True).lowest_revenue is None


@pytest.mark.django_db
def test_a_sum_in_the_database_has_all_digits():
    recipes.dsr.make(offer="One", total_revenue=LONGEST)
    recipes.dsr.make(offer="Two", total_revenue="0." + "9" * 60)

    total = DSR.objects.aggregate(total=Sum("total_revenue"))["total"]

    assert str(total) == "1" + "0" * 30 + "." + "0" * 60


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        *(Decimal(special) for special in ("NaN", "sNaN", "Infinity", "-Infinity")),
        *("NaN", "inf", "", "1,5", "one"),
        *(0.5, float("nan"), b"1", [1]),
    ],
    ids=repr,
)
def test_values_that_are_not_exact_numbers_are_refused_and_not_stored(value):
    with pytest.raises(ValidationError) as refusal, transaction.atomic():
        recipes.dsr.make(total_revenue=value)

    assert refusal.value.code == "invalid"
    assert not DSR.objects.exists()


@pytest.mark.parametrize("digits", EXACT)
def test_a_form_keeps_every_digit(digits):
    assert f"{NumericField().formfield().clean(digits):f}" == digits


@pytest.mark.parametrize("text", ["NaN", "Infinity", "one", ""])
def test_a_form_refuses_texts_that_are_not_numbers(text):
    with pytest.raises(ValidationError):
        NumericField().formfield().clean(text)


def test_an_optional_number_of_a_form_may_be_blank():
    assert NumericField(null=True, blank=True).formfield().clean("") is None


@pytest.mark.parametrize("digits", EXACT)
def test_a_dump_has_every_digit(digits):
    dump = serializers.serialize("json", [EcbRate(rate=Decimal(digits))])

    (loaded,) = serializers.deserialize("json", dump)

    assert f"{loaded.object.rate:f}" == digits
