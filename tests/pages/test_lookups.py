"""No list of the admin filters, sorts or searches by a secret, or by a path that nobody chose."""

import html
import re
import unicodedata
from itertools import cycle
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from import_export.admin import ExportMixin
from rest_framework.authtoken.models import Token

from catalogue.models import OperatorRate
from dsrhub.models import ApiKey, ApiToken
from dsrhub.pages.lookups import ChosenLookupsAdmin
from dsrhub.webhooks.models import Webhook
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line
from tests.subscriptions import recipes as subscription_recipes

pytestmark = pytest.mark.django_db

SECRETS = {
    (User, "password"),
    (ApiKey, "hash"),
    (ApiToken, "hash"),
    (ApiToken, "fingerprint"),
    (Token, "key"),
    (Webhook, "secret"),
    (Webhook, "old_secret"),
    (Session, "session_key"),
    (Session, "session_data"),
}
DEPTH = 4
ADMINS = list(admin.site._registry.items())
NAMES = [model._meta.label_lower for model, _ in ADMINS]
# Lists that are open to another permission than that to view their model.
OTHER_NEEDS = {
    "catalogue.supersededdsr": "view_dsr",
    "catalogue.importjob": "import_dsr",
    "catalogue.reportmessage": "view_dsr",
    "webhooks.delivery": "view_webhook",
}


def paths_to_secrets(model, before=(), depth=DEPTH):
    """The lookup paths that lead from a model to a secret, relations in both directions included."""
    for field in model._meta.get_fields():
        path = (*before, field.name)
        if (model, field.name) in SECRETS:
            yield "__".join(path)
        related = getattr(field, "related_model", None)
        if related is not None and depth > 1:
            yield from paths_to_secrets(related, path, depth - 1)


def client_who_views(model):
    user = recipes.staff.make(username="viewer")
    codename = OTHER_NEEDS.get(model._meta.label_lower, f"view_{model._meta.model_name}")
    of_app = Permission.objects.filter(content_type__app_label=model._meta.app_label)
    user.user_permissions.add(of_app.get(codename=codename))
    client = Client()
    client.force_login(user)
    return client


def list_of(model, view="changelist"):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}")


def content(response):
    """What a page says, without the values that differ in each answer."""
    return re.sub(r'(csrfmiddlewaretoken" value|nonce|"next" value)="[^"]*"', "", response.content.decode())


def test_paths_to_secrets_are_found():
    found = set(paths_to_secrets(OperatorRate))
    assert {"entered_by__password", "entered_by__auth_token__key", "entered_by__api_tokens__hash"} <= found


def test_every_admin_refuses_lookups_that_nobody_chose():
    assert [model for model, model_admin in ADMINS if not isinstance(model_admin, ChosenLookupsAdmin)] == []


@pytest.mark.parametrize(("model", "model_admin"), ADMINS, ids=NAMES)
def test_no_path_to_a_secret_and_no_substring_of_a_field_can_be_looked_up(rf, model, model_admin):
    request = rf.get("/")
    request.user = recipes.superuser.make()
    names = [field.name for field in model._meta.get_fields()]
    lookups = [*paths_to_secrets(model), *names]
    assert lookups
    for lookup in lookups:
        for ending in ("__startswith", "__regex", "__contains", "__gt", "__in"):
            if lookup + ending in model_admin.lookups:
                continue
            with pytest.raises(IncorrectLookupParameters):
                model_admin.lookup_allowed(lookup + ending, "a", request)


@pytest.mark.parametrize(("model", "model_admin"), ADMINS, ids=NAMES)
def test_a_viewer_of_a_list_learns_nothing_from_a_lookup(model, model_admin):
    recipes.token.make(user=recipes.superuser.make())
    client = client_who_views(model)
    plain = client.get(list_of(model))
    assert plain.status_code == 200
    shortest = sorted(paths_to_secrets(model), key=lambda path: path.count("__"))[:5]
    paths = [*shortest, "user__password", "api_tokens__hash", "auth_token__key", "imported_by__auth_token__key"]
    # Each path in one of the forms, as `lookup_allowed` is tried with all of them above.
    for path, form in zip(paths, cycle(["{}__startswith=a", "{}__gt=", "q=&{}__isnull=0"]), strict=False):
        query = form.format(path)
        answer = client.get(f"{list_of(model)}?{query}")
        is_refused = answer.status_code == 302 and answer["Location"].endswith("?e=1")
        # The list of recordings reads its own parameters only.
        assert is_refused or content(answer) == content(plain), query


@pytest.mark.parametrize(("model", "model_admin"), ADMINS, ids=NAMES)
def test_lists_sort_and_search_by_what_they_show(rf, model, model_admin):
    ends = {secret for _, secret in SECRETS}
    orders = [getattr(getattr(model_admin, name, None), "admin_order_field", name) for name in model_admin.list_display]
    chosen = [*map(str, orders), *model_admin.search_fields, *(model_admin.ordering or ())]
    assert [path for path in chosen if ends & set(re.split("__|[^a-z_]", path))] == []


@pytest.mark.parametrize(("model", "model_admin"), ADMINS, ids=NAMES)
def test_only_the_primary_key_refers_to_an_object(rf, model, model_admin):
    names = [field.name for field in model._meta.get_fields()]
    assert [name for name in names if model_admin.to_field_allowed(rf.get("/"), name)] == [model._meta.pk.name]


@pytest.mark.parametrize("name", ["password", "hash", "nothing"])
def test_a_popup_cannot_name_a_secret_as_its_value(name):
    client = client_who_views(User)
    assert client.get(f"/admin/auth/user/?_popup=1&_to_field={name}").status_code == 400


EXPORTED = [(model, model_admin) for model, model_admin in ADMINS if isinstance(model_admin, ExportMixin)]


@pytest.mark.parametrize(("model", "model_admin"), EXPORTED, ids=[model.__name__ for model, _ in EXPORTED])
def test_exports_refuse_the_lookups_that_their_lists_refuse(admin_client, model, model_admin):
    if model._meta.model_name == "resource":
        return  # it has a search of its own, and no lookups
    path = list_of(model, "export")
    for lookup in [*paths_to_secrets(model), "id__regex"][-10:]:
        for answer in (
            admin_client.get(f"{path}?{lookup}__startswith=a"),
            admin_client.post(f"{path}?{lookup}__startswith=a", {"format": "0", "resource": "0"}),
        ):
            assert (answer.status_code, answer["Location"]) == (302, "../?e=1")


def test_autocompletion_finds_nobody_by_a_secret():
    token = recipes.token.make(user=recipes.superuser.make())
    client = client_who_views(User)
    query = {"app_label": "dsrhub", "model_name": "apitoken", "field_name": "user"}

    def found(term):
        return client.get("/admin/autocomplete/", query | {"term": term}).json()["results"]

    assert [each["text"] for each in found("ada")] == ["ada"]
    assert found(token.hash[:3]) == found(token.key[:3]) == found(token.user.password[:6]) == []
    # Nor can it be asked for the objects that have a relation to a token.
    for source in ("authtoken/token/user", "auth/user/auth_token", "auth/user/api_tokens"):
        app, model, field = source.split("/")
        answer = client.get("/admin/autocomplete/", {"app_label": app, "model_name": model, "field_name": field})
        assert answer.status_code == 403 or "ada" in answer.content.decode()


def test_the_filters_of_people_still_work(admin_client):
    recipes.group.make()
    for query in ("is_staff__exact=1", "is_superuser__exact=0", "groups__id__exact=1", "groups__isnull=True"):
        assert admin_client.get(f"/admin/auth/user/?{query}").status_code == 200, query
    assert admin_client.get("/admin/dsrhub/apitoken/?created_at__gte=2020-01-01T00:00Z").status_code == 200


def links_with_a_query(client, path):
    page = html.unescape(client.get(path).content.decode())
    hrefs = {href for href in re.findall('href="([^"]*[?][^"]*)"', page) if not href.startswith("http")}
    return {urljoin(path, href) for href in hrefs}


# Of Django's lists: the order and the counts beside the filters. They are the same in each list.
OF_ALL_LISTS = {"o", "_facets"}


def kind_of(link):
    """The same for links of which one is enough: they differ only in values, or lead to the same code of Django."""
    address = urlsplit(link)
    names = set(parse_qs(address.query, keep_blank_values=True))
    return (address.path if names - OF_ALL_LISTS else "", *sorted(names))


def test_every_link_of_our_pages_to_a_list_is_admitted(admin_client, tmp_path):
    dsr = import_report(tmp_path, NO_JANUARY, line("a", isrc="bad"), line("b"))
    catalogue_recipes.operator_rate.make()
    catalogue_recipes.rate_change.make(dsr=dsr)
    catalogue_recipes.import_job.make()
    catalogue_recipes.rejected_delivery.make()
    subscription_recipes.sealed_day.make()
    subscription_recipes.subscription.make()
    recipes.token.make(user=User.objects.get())
    pages = ["/admin/", f"/admin/catalogue/dsr/{dsr.pk}/change/", *(list_of(model) for model, _ in ADMINS)]
    links = set().union(*(links_with_a_query(admin_client, path) for path in pages))
    assert {
        f"/admin/catalogue/dsr/export/?id__exact={dsr.pk}",
        "/admin/catalogue/dsr/?status__exact=ingested&blank_isrc_count__gt=0",
        "/admin/catalogue/dsr/?status__exact=ingested&territory__code_2__exact=NO",
        "/admin/catalogue/dsr/?currency__code__exact=NOK&period_start=2020-01-01&period_end=2020-01-31",
        f"/admin/catalogue/reportproblem/?dsr={dsr.pk}",
    } <= links
    kinds = {kind_of(link): link for link in sorted(links)}.values()
    assert {link: admin_client.get(link).status_code for link in kinds} == dict.fromkeys(kinds, 200)


# --- Search boxes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "text", "name"),
    [
        ("/admin/catalogue/territory/", "reunion", "RE Réunion"),
        ("/admin/catalogue/territory/", "COTE D", "CI Côte d’Ivoire"),
        ("/admin/catalogue/currency/", "rican colon", "CRC"),
        ("/admin/catalogue/dsr/", "cafe_", "Café_Duo_ES_EUR_20200101-20200131.tsv"),
        ("/admin/catalogue/dsr/", unicodedata.normalize("NFD", "CAFÉ_duo"), "Café_Duo_ES_EUR_20200101-20200131.tsv"),
        ("/admin/auth/user/", "jose", "José"),
        ("/admin/auth/group/", "prufer", "Prüfer"),
    ],
)
def test_search_boxes_ignore_case_accents_and_composition(admin_client, address, text, name):
    catalogue_recipes.dsr.make(path="Café_Duo_ES_EUR_20200101-20200131.tsv")
    catalogue_recipes.dsr.make(path="Cafe-Duo.tsv", offer="Other")
    recipes.staff.make(username="José")
    recipes.group.make(name="Prüfer")

    assert [str(row) for row in admin_client.get(address, {"q": text}).context["cl"].result_list] == [name]


@pytest.mark.parametrize("text", ["%", "_a", "\\", "％", "＼", "é%", "a'b"])
def test_search_boxes_have_no_wildcards(admin_client, text):
    recipes.group.make(name="Readers")

    assert not admin_client.get("/admin/auth/group/", {"q": text}).context["cl"].result_list


def test_choices_by_searching_ignore_accents(admin_client):
    query = {"app_label": "catalogue", "model_name": "operatorrate", "field_name": "currency", "term": "rican COLON"}

    found = admin_client.get("/admin/autocomplete/", query).json()["results"]

    assert [each["id"] for each in found] == ["CRC"]
