"""Territories and currencies are named, found and ordered in the language of the page; their stored names stay."""

import pytest
from django.utils import translation

from catalogue.models import Currency, Territory
from tests.catalogue import recipes
from tests.catalogue.helpers import staff_with

pytestmark = pytest.mark.django_db

LISTS = "/admin/catalogue/"


def page(client, address, language):
    response = client.get(f"{LISTS}{address}", headers={"accept-language": language})
    assert response.status_code == 200
    return response


def found(client, address, language):
    return [row.pk for row in page(client, address, language).context["cl"].result_list]


@pytest.mark.parametrize(
    ("language", "names"),
    [
        (None, ["ES Spain", "WW Worldwide", "QM Ruritania", "Brazilian Real", "Ruritanian Crown"]),
        ("en", ["ES Spain", "WW Worldwide", "QM Ruritania", "Brazilian Real", "Ruritanian Crown"]),
        # CLDR never names codes for private use: they keep their stored names.
        ("es", ["ES España", "WW Mundo", "QM Ruritania", "real brasileño", "Ruritanian Crown"]),
        ("fr", ["ES Espagne", "WW Monde", "QM Ruritania", "réal brésilien", "Ruritanian Crown"]),
    ],
)
def test_names_are_in_the_active_language_or_stored(language, names):
    Currency.objects.create(code="QMR", name="Ruritanian Crown", symbol="QMR")
    Territory.objects.create(code_2="QM", name="Ruritania")
    with translation.override(language):
        shown = [str(Territory.objects.get(pk=code)) for code in ("ES", "WW", "QM")]
        assert [*shown, *(Currency.objects.get(pk=code).shown_name for code in ("BRL", "QMR"))] == names


@pytest.mark.parametrize(
    ("language", "text", "codes"),
    [
        ("es", "espana", ["ES"]),
        ("es", "Spain", ["ES"]),  # the stored name is found in every language
        ("es", "unidos árabes", ["AE"]),
        ("fr", "ESPAGNE", ["ES"]),
        ("fr", "españa", []),
        ("en", "espagne", []),
    ],
)
def test_a_territory_is_found_by_its_name_in_the_language_of_the_page_and_in_english(
    admin_client, language, text, codes
):
    assert found(admin_client, f"territory/?q={text}", language) == codes


def test_rates_and_dsrs_are_found_by_the_spanish_name_of_their_currency_and_territory(admin_client):
    recipes.operator_rate.make(currency_id="NOK")
    dsr = recipes.dsr.make(territory_id="NO", path="a.tsv")
    recipes.dsr.make(territory_id="SE", path="b.tsv", offer="Second")
    for text in ("corona noruega", "norwegian"):
        assert len(found(admin_client, f"operatorrate/?q={text}", "es")) == 1
        assert found(admin_client, f"ecbrate/?q={text}", "es")
    assert not found(admin_client, "ecbrate/?q=corona galáctica", "es")
    assert found(admin_client, "dsr/?q=noruega", "es") == [dsr.pk]


def test_a_currency_is_chosen_by_its_french_name(client):
    client.force_login(staff_with("add_operatorrate"))
    response = page(client, "operatorrate/currencies/?term=couronne norv", "fr")
    assert response.json()["results"] == [{"id": "NOK", "text": "NOK – couronne norvégienne"}]


@pytest.mark.parametrize(
    ("language", "first"), [("en", ["AF", "AX", "AL"]), ("es", ["AF", "AL", "DE"]), ("fr", ["AF", "ZA", "AL"])]
)
def test_a_list_is_ordered_by_the_names_that_it_shows(admin_client, language, first):
    """Afghanistan, Åland Islands, Albania; Afganistán, Albania, Alemania; Afghanistan, Afrique du Sud, Albanie."""
    assert found(admin_client, "territory/?o=1", language)[:3] == first
    assert found(admin_client, "ecbrate/?o=2", language)


@pytest.mark.parametrize(("language", "option"), [("en", "NO Norway"), ("fr", "NO Norvège")])
def test_a_filter_of_recordings_names_the_territories(admin_client, language, option):
    recipes.dsr.make(territory_id="NO")
    html = page(admin_client, "resource/", language).content.decode()
    assert f'<option value="NO">{option}</option>' in html
