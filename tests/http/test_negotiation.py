"""`preferred` chooses a media type as RFC 9110 (12.4.2 and 12.5.1) defines it."""

import subprocess
import sys

import pytest
from django.conf import settings

from dsrhub.http.negotiation import preferred

JSON, CSV = "application/json", "text/csv"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        # Weights
        ("application/json;q=0.9, text/csv;q=0.1", JSON),
        ("application/json;q=0.1, text/csv;q=0.9", CSV),
        ("text/csv;q=0.9, application/json", JSON),
        ("text/csv;q=0.123, application/json;q=0.122", CSV),
        ("text/csv ; Q=0.1 , application/json ; Q=0.9", JSON),
        ("application/json;q=0.5, */*", CSV),
        ("application/json;q=0.5, text/*;q=0.6", CSV),
        ("image/png, text/csv;q=0.001", CSV),
        # Zero excludes a type
        ("application/json;q=0, text/csv", CSV),
        ("application/json;q=0, */*", CSV),
        ("application/json;q=0.000, */*;q=0.1", CSV),
        ("text/csv;q=0, text/*", None),
        ("text/csv;q=0, */*", JSON),
        ("text/*;q=0, */*;q=0.1", JSON),
        ("*/*;q=0", None),
        ("application/json;q=0,text/csv;q=0", None),
        # The most specific range gives the weight
        ("text/*, text/csv;q=0.1, application/json;q=0.5", JSON),
        ("*/*;q=1, application/*;q=0.2, text/csv;q=0.1", JSON),
        ("text/csv;charset=utf-8;q=0.1, text/csv, application/json;q=0.5", JSON),
        ("text/csv;header=absent, text/csv;q=0.1, application/json;q=0.5", JSON),
        # Equal weights: the more specific name, then the first offer
        ("application/json, text/csv", JSON),
        ("text/csv, application/json", JSON),
        ("*/*", JSON),
        ("text/csv, */*", CSV),
        ("text/*, */*", CSV),
        # Other writings
        ("TEXT/CSV", CSV),
        ("text/csv; charset=UTF-8", CSV),
        ('text/csv; charset="utf-8"', CSV),
        ('text/csv; header="a,b"; q=0.1, application/json; q=0.5', JSON),
        ("text/csv; header=present", CSV),
        ("application/json;version=2", JSON),
        (",, text/csv ,", CSV),
        ("text/csv;q=2, application/json;q=0.5", CSV),
        ("text/csv;q=none, application/json;q=0.5", CSV),
        # Neither
        ("", None),
        ("text/html", None),
        ("nonsense", None),
        ("text/csv/x", None),
        ("*/csv", None),
        ("text", None),
        ("text/csv;x*=nonsense''a", None),
        ('text/csv;header="' + "a" * 500, CSV),
    ],
)
def test_the_media_type_that_a_client_prefers(accept, expected):
    assert preferred(accept, [JSON, CSV]) == expected


def test_the_choice_is_the_same_in_every_process():
    asked = (
        f"from dsrhub.http.negotiation import preferred; print(preferred('{JSON};q=0.5,{CSV};q=0.5', {[JSON, CSV]}))"
    )
    answers = {
        subprocess.check_output(
            [sys.executable, "-c", f"import django.conf; django.conf.settings.configure(); {asked}"],
            cwd=settings.BASE_DIR,
            env={"PYTHONHASHSEED": str(seed)},
            text=True,
        )
        for seed in range(4)
    }
    assert answers == {f"{JSON}\n"}
