"""Pages and errors are in the language of the user; data, exports and records are the same in all languages."""

import io
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from decimal import Decimal
from gettext import GNUTranslations

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation
from openpyxl import load_workbook

from dsrhub.exceptions import InvalidArgument
from dsrhub.import_export.formats import CSV, EXPORT_FORMATS, JSON, TSV, XLSX
from dsrhub.models import AuditEntry, UserLanguage
from dsrhub.pages.languages import language_of, language_set
from dsrhub.values.cells import money, rounded
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import ES_JANUARY, import_report, line
from tests.import_export.test_exports import EXPORTS
from tests.languages import BEGIN, marked_texts
from tests.programs import program
from tests.subscriptions.helpers import DATA, VOICE, add, event, subscribe

LANGUAGES = ["en", "es", "fr"]
LANGUAGE_FORM = "/admin/language/"
OTHERS = ["es", "fr"]


def asking(language):
    return {"Accept-Language": language}


# --- Which language it is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preferred", "language", "label"),
    [
        ("en-GB,en;q=0.9", "en", "Log in"),
        ("es-MX,es;q=0.9,en;q=0.8", "es", "Iniciar sesión"),
        ("fr", "fr", "Connexion"),
        ("de, fr;q=0.5", "fr", "Connexion"),
        ("de", "en", "Log in"),
        ("", "en", "Log in"),
        ("*;q=x,,\x01", "en", "Log in"),
    ],
)
@pytest.mark.django_db
def test_a_page_is_in_the_language_that_the_browser_prefers(client, preferred, language, label):
    response = client.get("/admin/login/", headers=asking(preferred))
    page = response.content.decode()
    assert f'<html lang="{language}"' in page
    assert f'value="{label}"' in page
    assert {"Accept-Language", "Cookie"} <= set(response["Vary"].split(", "))
    assert translation.get_language() == "en"


@pytest.mark.django_db
def test_the_menu_marks_the_present_language_and_leads_back(client):
    page = client.get("/admin/login/?next=/admin/auth/user/", headers=asking("fr")).content.decode()
    assert 'value="fr" lang="fr" aria-current="true">Français</button>' in page
    assert 'value="es" lang="es">Español</button>' in page
    assert page.count("aria-current") == 1
    assert 'name="next" value="/admin/login/?next=/admin/auth/user/"' in page


@pytest.mark.django_db
def test_somebody_who_is_not_signed_in_chooses_for_this_browser_only(client):
    response = client.post(LANGUAGE_FORM, {"language": "es", "next": "/admin/login/"}, headers=asking("fr"))
    assert (response.status_code, response["Location"]) == (302, "/admin/login/")
    cookie = client.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["httponly"], cookie["samesite"], cookie["max-age"]) == ("es", True, "Lax", 31_536_000)
    assert "Iniciar sesión" in client.get("/admin/login/", headers=asking("fr")).content.decode()
    assert not UserLanguage.objects.exists()


@pytest.mark.django_db
def test_the_choice_of_a_user_follows_to_another_browser(client, django_assert_num_queries):
    ada = recipes.superuser.make()
    client.force_login(ada)
    for language in ("fr", "es"):
        client.post(LANGUAGE_FORM, {"language": language, "next": "/admin/"})
    assert language_of(ada) == "es"
    other = Client(headers=asking("fr"))
    signed_in = other.post("/admin/login/?next=/admin/", {"username": "ada", "password": recipes.PASSWORD})
    assert signed_in.status_code == 302
    assert other.cookies[settings.LANGUAGE_COOKIE_NAME].value == "es"
    # The session and the user: the language is in the cookie.
    with django_assert_num_queries(2):
        page = other.get("/admin/password_change/").content.decode()
    assert "Cerrar sesión" in page


@pytest.mark.django_db
def test_a_sign_in_without_a_choice_keeps_the_language_of_the_browser(client):
    recipes.superuser.make()
    client.post("/admin/login/?next=/admin/", {"username": "ada", "password": recipes.PASSWORD})
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
    assert "Déconnexion" in client.get("/admin/password_change/", headers=asking("fr")).content.decode()


@pytest.mark.parametrize("language", ["", "de", "en-us", "xx\0"])
@pytest.mark.django_db
def test_an_unknown_language_is_refused(client, language):
    ada = recipes.superuser.make()
    client.force_login(ada)
    response = client.post(LANGUAGE_FORM, {"language": language, "next": "/admin/"})
    assert response.status_code == 400
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
    with pytest.raises(InvalidArgument, match=r"The language must be one of en, es, fr\."):
        language_set(user=ada, language=language)
    assert language_of(ada) is None


@pytest.mark.django_db
def test_nothing_is_chosen_by_get_and_no_other_site_is_led_to(client):
    assert client.get(LANGUAGE_FORM, {"language": "es", "next": "/admin/"})["Location"] == "/admin/"
    assert settings.LANGUAGE_COOKIE_NAME not in client.cookies
    response = client.post(LANGUAGE_FORM, {"language": "es", "next": "https://elsewhere.example/"})
    assert response["Location"] == "/"
    assert Client(enforce_csrf_checks=True).post(LANGUAGE_FORM, {"language": "es"}).status_code == 403


@pytest.mark.django_db
def test_a_language_that_this_release_lacks_is_ignored(client):
    ada = recipes.superuser.make()
    UserLanguage.objects.create(user=ada, language="de")
    assert language_of(ada) is None


@pytest.mark.django_db
def test_the_database_deletes_the_choice_with_the_user():
    ada = recipes.superuser.make()
    language_set(user=ada, language="fr")
    # As a server of the release before does, which does not know the table.
    User.objects.filter(pk=ada.pk)._raw_delete("default")
    assert not UserLanguage.objects.exists()


# --- Numbers and days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "shown"), [("en", "1,234.50"), ("es", "1\xa0234,50"), ("fr", "1\xa0234,50")])
def test_numbers_follow_the_language(language, shown):
    with translation.override(language):
        assert money(Decimal("1234.5"), "EUR") == f"{shown} EUR"
        assert 'value="1234.5678"' in rounded(Decimal("1234.5678"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.django_db
def test_days_and_fields_of_numbers_are_the_same_in_all_languages(admin_client, language):
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    rate = catalogue_recipes.operator_rate.make()
    page = admin_client.get(f"/admin/catalogue/operatorrate/{rate.pk}/change/").content.decode()
    assert 'name="rate" value="9.5"' in page
    assert "2020-01-31" in page
    assert "2020-01-31" in admin_client.get("/admin/catalogue/operatorrate/").content.decode()


# --- Errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text"), [("es", "Este campo es requerido."), ("fr", "Ce champ est obligatoire.")]
)
@pytest.mark.django_db
def test_the_errors_of_rest_follow_the_language_and_their_codes_do_not(client, language, text):
    response = client.post("/token/", {"username": "ada"}, headers=asking(language))
    assert response.json() == {"password": [{"message": text, "code": "required"}]}
    assert "Accept-Language" in response["Vary"]


@pytest.mark.django_db
def test_the_meaning_of_a_problem_follows_the_language_and_its_code_does_not(client, dsr):
    path = f"/dsrs/{dsr.pk}/problems"
    query = {"query": f'{{ dsr(id: "{dsr.pk}") {{ problems(first: 1) {{ edges {{ node {{ code message }} }} }} }} }}'}
    english = client.get(path)
    assert "Accept-Language" in english["Vary"]
    with marked_texts():
        (problem,) = client.get(path, headers=asking("es")).json()
        answer = client.post("/graphql", query, content_type="application/json", headers=asking("fr")).json()
    assert problem == {
        **english.json()[0],
        "message": "«The ISRC is not of the form of ISO 3901.» "
        "«The line counts, and the cell is kept as it is. The recording may be hard to identify.»",
    }
    (edge,) = answer["data"]["dsr"]["problems"]["edges"]
    assert edge["node"] == {"code": "isrc_invalid", "message": problem["message"]}


# --- What has no language --------------------------------------------------------------------------------------


@pytest.fixture
def dsr(tmp_path):
    lines = line("a", "Title", "Artist", "wrong", "1234567", "1234.5678"), line("b", "Other", "Artist", "", "2", "0.5")
    return import_report(tmp_path, ES_JANUARY, *lines)


@pytest.fixture
def usage():
    someone = subscribe()
    for usage_type in (DATA, VOICE):
        add(event(someone, price="1234.5678", amount=1234567), usage_type=usage_type)
    return someone


ADDRESSES = [
    "/dsrs/",
    "/dsrs/{dsr}",
    "/dsrs/{dsr}/lines",
    "/dsrs/{dsr}/details",
    "/dsrs/{dsr}/use-types",
    "/statistics/?group_by=territory,month",
    "/statistics/comparison/?by=recording&period=2020-01&with=2020-01&percentile=100",
    "/artists/",
    "/coverage/?from=2020-01&to=2020-03",
    "/messages/",
    "/resources/identification/?problem=no_isrc",
    "/resources/same-isrc/?isrc=ESABC2000001",
    "/resources/percentile/10",
    "/subscriptions/over-limit.csv?from=2026-01-01&to=2026-01-31&price_limit=1",
    "/subscriptions/over-limit/?from=2026-01-01&to=2026-01-31&price_limit=1",
    "/subscriptions/usage/?from=2026-01-01&to=2026-01-31",
    "/subscriptions/usage.csv?from=2026-01-01&to=2026-01-31",
    "/subscriptions/{usage}/usage/?from=2026-01-01&to=2026-01-31",
    "/openapi.json",
    "/openapi.yaml",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.django_db
def test_data_are_the_same_in_all_languages(client, dsr, usage, address):
    path = address.format(dsr=dsr.pk, usage=usage.pk)
    with marked_texts():
        answers = [client.get(path, headers=asking(language)) for language in LANGUAGES]
    assert [answer.status_code for answer in answers] == [200, 200, 200], answers[0].content
    assert len({answer.getvalue() for answer in answers}) == 1
    assert not any("Accept-Language" in answer.get("Vary", "") for answer in answers)


GRAPHQL = [
    "{ dsrs { edges { node { id status currency { code name } territory { name } totalRevenue periodStart } } } }",
    "{ __schema { types { name description fields { name description } enumValues { name description } } } }",
]


@pytest.mark.parametrize("query", GRAPHQL)
@pytest.mark.django_db
def test_data_and_the_schema_of_graphql_are_the_same_in_all_languages(client, dsr, query):
    with marked_texts():
        answers = [
            client.post("/graphql", {"query": query}, content_type="application/json", headers=asking(language))
            for language in LANGUAGES
        ]
    assert "errors" not in answers[0].json()
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize(("model", "number"), EXPORTS)
@pytest.mark.django_db
def test_exports_are_the_same_in_all_languages(admin_client, dsr, usage, model, number):
    recipes.audit_entry.make()
    with marked_texts():
        for file_format, languages in ((CSV, LANGUAGES), (TSV, ["en", "es"]), (JSON, ["en", "fr"])):
            assert len({export(admin_client, model, number, file_format, language) for language in languages}) == 1
        sheets = [cells(export(admin_client, model, number, XLSX, language)) for language in ("en", "es")]
    assert sheets[0] == sheets[1]


def export(client, model, number, file_format, language):
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    days = {"start": "2026-01-01", "end": "2026-01-31"}
    form = {"resource": number, "format": EXPORT_FORMATS.index(file_format), "percentile": 100, **days}
    response = client.post(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export"), form)
    assert response.streaming, response.context["form"].errors
    return b"".join(response.streaming_content)


def cells(data):
    """The title, the cells and the formats of numbers of each sheet."""
    return [
        (sheet.title, [[(cell.value, cell.number_format) for cell in row] for row in sheet.iter_rows()])
        for sheet in load_workbook(io.BytesIO(data)).worksheets
    ]


@pytest.mark.django_db
def test_permissions_are_named_in_the_language_of_the_page(admin_client):
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    with marked_texts():
        page = admin_client.get("/admin/auth/group/add/").content.decode()
    assert "«Catalogue» | «operator rate» | «Can change «operator rate»»</option>" in page
    assert "«Catalogue» | «DSR» | «Can export DSRs»</option>" in page


@pytest.mark.django_db
def test_records_of_what_people_did_are_in_english(admin_client, caplog):
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    with marked_texts(), caplog.at_level(logging.INFO):
        admin_client.post("/admin/dsrhub/apitoken/add/", {"user": User.objects.get().pk, "name": "nightly"})
        token = AuditEntry.objects.get().object_id
        admin_client.post(f"/admin/dsrhub/apitoken/{token}/delete/", {"post": "yes"})
    names = [*AuditEntry.objects.values_list("object_name", flat=True)]
    names += LogEntry.objects.values_list("object_repr", flat=True)
    assert len(names) == 4
    assert all(name.startswith("Token ") for name in names)
    assert not any(BEGIN in text for text in caplog.messages)


# --- The translations ------------------------------------------------------------------------------------------


# The line of docs/development.md that finds the texts of the code.
EXTRACTION = re.search(
    r"^python (manage\.py makemessages .*)$", (settings.BASE_DIR / "docs" / "development.md").read_text(), re.MULTILINE
)[1]


def messages(language, folder=settings.BASE_DIR):
    """The texts of a language, without the header, by their ids: a text, or the forms of one and of many."""
    with (folder / "dsrhub" / "locale" / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        found = [message for message in read_po(file, locale=language) if message.id]
    assert not any(message.context for message in found), "This test knows no pgettext."
    return {message.id: message for message in found}


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """A copy of the code, in which the documented command has found all texts."""
    program("xgettext")
    copy = tmp_path_factory.mktemp("extracted")
    shutil.copy(settings.BASE_DIR / "manage.py", copy)
    for package in ("dsrhub", "catalogue", "subscriptions", "graphql_schema"):
        ignored = shutil.ignore_patterns("static", "__pycache__")
        shutil.copytree(settings.BASE_DIR / package, copy / package, ignore=ignored)
    command = [sys.executable, *shlex.split(EXTRACTION)]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "dsrhub.settings"}
    subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True)
    return copy


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_of_the_code_is_translated_and_no_other(extracted, language):
    found, translated = messages(language, extracted), messages(language)
    assert len(found) > 700
    lacking = [
        text
        for text in found
        if text not in translated or translated[text].fuzzy or not all(forms(translated[text].string))
    ]
    assert (lacking, translated.keys() - found.keys()) == ([], set())


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_placeholders_of_its_text(language):
    wrong = []
    for text, message in messages(language).items():
        allowed = [placeholders(form) for form in forms(text)]
        # A form of one may say "one line" where the others have the number.
        wrong += [form for form in filter(None, forms(message.string)) if placeholders(form) not in allowed]
        many = forms(message.string)[-1]
        wrong += [many] if many and placeholders(many) != allowed[-1] else []
    assert wrong == []


def forms(text):
    return [text] if isinstance(text, str) else list(text)


def placeholders(text):
    return sorted(re.findall(r"%\(\w+\)[a-z]|%[sd]", text))


@pytest.mark.parametrize("language", OTHERS)
def test_the_compiled_translations_are_up_to_date(language):
    """Django reads them. They are in the repository, as not every machine has the program that compiles them."""
    expected = {}
    for text, message in messages(language).items():
        if message.fuzzy or not all(forms(message.string)):
            continue
        if isinstance(text, str):
            expected[text] = message.string
        else:
            expected |= {(text[0], number): form for number, form in enumerate(message.string)}
    with (settings.LOCALE_PATHS[0] / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = GNUTranslations(file)._catalog
    assert {text: form for text, form in compiled.items() if text} == expected
