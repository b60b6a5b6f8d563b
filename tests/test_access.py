"""Permissions of every route and of every field and mutation of GraphQL, and the limits on attempts to sign in."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as product
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command, get_commands
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import URLPattern, get_resolver, resolve
from django.utils import timezone
from graphql import GraphQLObjectType, get_named_type
from rest_framework.authtoken.models import Token

from dsrhub.models import ApiToken, Tally
from dsrhub.scopes import Scope
from graphql_schema.schema import schema
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.admin.test_permissions import NEEDS as CATALOGUE_NEEDS
from tests.catalogue.helpers import NO_JANUARY
from tests.subscriptions import recipes as usage_recipes
from tests.subscriptions.admin.test_permissions import NEEDS as SUBSCRIPTIONS_NEEDS
from tests.webhooks import recipes as webhook_recipes
from tests.webhooks.helpers import write

pytestmark = pytest.mark.django_db

NOT_ADMITTED = {401, 403, 405}


def routes(patterns=None, before=""):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern.url_patterns, route)


ADMIN_ROUTES = [route for route in routes() if route.startswith("admin/")]
OTHER_ROUTES = [route for route in routes() if not route.startswith("admin/")]


def address(route):
    """An address of a route. The object in it need not exist."""
    plain = re.sub(r"\(\?P<app_label>(\w+)\|.*?\)|\(\?P<url>\.\*\)", r"\1", route).replace("^", "").replace("$", "")
    return "/" + re.sub(r"<\w*:?\w+>", "1", plain).replace("/?", "")


# --- Clients ---------------------------------------------------------------------------------------------------


def user_of(kind, permission=None):
    recipe = {"staff": recipes.staff, "superuser": recipes.superuser}.get(kind, recipes.user)
    user = recipe.make(username=kind)
    if permission:
        label, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
    return user


def client_of(kind, permission=None):
    """A client like a browser or a program: the server checks its CSRF token, unlike that of Django's test client."""
    if kind == "anonymous":
        return Client(enforce_csrf_checks=True)
    if kind == "token":
        key = recipes.token.make(user=user_of(kind, permission)).key
        return Client(enforce_csrf_checks=True, headers={"Authorization": f"Token {key}"})
    if kind == "key of a superuser":
        return client_with_key(user_of("superuser"), Scope.values)
    if kind == "key":
        return client_with_key(user_of(kind, permission), Scope.values)
    client = Client()
    client.force_login(user_of(kind, permission))
    return client


def client_with_key(user, scopes):
    secret = recipes.key.make(user=user, scopes=scopes).secret
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {secret}"})


KINDS = ["anonymous", "signed_in", "staff", "token", "key", "superuser"]

# --- REST ------------------------------------------------------------------------------------------------------

# READ: open to everyone, unless reads are closed. OPEN: always open to everyone. Otherwise: the required permission.
READ, OPEN = "read", "open"
REST = {
    "dsrs/": {"GET": READ, "POST": "catalogue.add_dsr"},
    "dsrs/<str:id>/": {"GET": READ, "DELETE": "catalogue.delete_dsr"},
    "dsrs/<str:id>/details/": {"GET": READ},
    "dsrs/<str:id>/lines/": {"GET": READ},
    "dsrs/<str:id>/problems/": {"GET": READ},
    "imports/<str:id>/": {"GET": "catalogue.add_dsr", "DELETE": "catalogue.add_dsr"},
    "dsrs/<str:id>/use-types/": {"GET": READ},
    "artists/": {"GET": READ},
    "dsrs/<str:id>/totals/": {"POST": READ},
    "coverage/": {"GET": READ},
    "dsrs/<str:id>/versions/": {"GET": "catalogue.view_dsr"},
    "versions/": {"GET": "catalogue.view_dsr"},
    "versions/<str:id>/": {"GET": "catalogue.view_dsr", "DELETE": "catalogue.delete_dsr"},
    "versions/<str:id>/recordings/": {"GET": "catalogue.view_dsr"},
    "versions/<str:id>/revert/": {"POST": "catalogue.change_dsr"},
    "statistics/": {"GET": READ},
    "statistics/comparison/": {"GET": READ},
    "messages/": {"GET": READ},
    "messages/<str:id>/": {"GET": READ, "DELETE": "catalogue.delete_dsr"},
    "messages/<str:id>/problems/": {"GET": READ},
    "resources/identification/": {"GET": READ},
    "resources/percentile/": {"GET": READ},
    "resources/same-isrc/": {"GET": READ},
    "resources/percentile/<str:number>/": {"GET": READ},
    "subscriptions/": {"GET": READ, "POST": "subscriptions.add_subscription"},
    "subscriptions/records/": {"POST": "subscriptions.ingest_usage"},
    "subscriptions/<str:id>/": {"GET": READ, "PATCH": "subscriptions.change_subscription"},
    "subscriptions/usage/carriers/": {"GET": READ},
    "subscriptions/usage/carriers.csv/": {"GET": READ},
    "subscriptions/over-limit/": {"GET": READ},
    "subscriptions/usage/": {"GET": READ},
    "subscriptions/<str:id>/usage/": {"GET": READ},
    "subscriptions/over-limit.csv/": {"GET": READ},
    "subscriptions/usage.csv/": {"GET": READ},
    "subscriptions/<str:id>/usage.csv/": {"GET": READ},
    "subscriptions/limits/": {"GET": READ, "POST": "subscriptions.add_pricelimit"},
    "subscriptions/limits/<str:id>/": {"DELETE": "subscriptions.delete_pricelimit"},
    "subscriptions/crossings/": {"GET": READ},
    "webhooks/": {"GET": "webhooks.view_webhook", "POST": "webhooks.add_webhook"},
    "webhooks/<str:id>/": {
        "GET": "webhooks.view_webhook",
        "PATCH": "webhooks.change_webhook",
        "DELETE": "webhooks.delete_webhook",
    },
    "webhooks/<str:id>/rotate/": {"POST": "webhooks.change_webhook"},
    "webhooks/<str:id>/test/": {"POST": "webhooks.change_webhook"},
    "webhooks/<str:id>/deliveries/": {"GET": "webhooks.view_webhook"},
    "webhooks/<str:id>/deliveries/<str:delivery>/resend/": {"POST": "webhooks.change_webhook"},
    "token/": {"POST": OPEN},
    # The documentation and the first page, which show no data.
    "openapi.yaml/": {"GET": OPEN},
    "openapi.json/": {"GET": OPEN},
    "docs/": {"GET": OPEN},
}
# GraphQL's fields and mutations have their own matrix below.
GRAPHQL_ROUTE = "^graphql/?$"
# The first page, whose address has no name before its slash.
ROOT_ROUTE = ""
PERMITTED = sorted(
    (route, method, need)
    for route, methods in REST.items()
    for method, need in methods.items()
    if need not in (READ, OPEN)
)
WRITES = [row for row in PERMITTED if row[1] != "GET"]


def test_every_route_has_a_row_in_the_matrix():
    others = {GRAPHQL_ROUTE, ROOT_ROUTE}
    assert others <= set(OTHER_ROUTES)
    assert {route.rstrip("/") + "/" for route in OTHER_ROUTES if route not in others} == REST.keys()


def ask(client, method, path):
    return client.generic(method, path).status_code


@pytest.mark.parametrize("is_private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_route_admits_only_permitted_users_and_no_cache_stores_what_is_not_public(kind, is_private, settings):
    """The routes of REST, and GraphQL and the first page, which are in no matrix of REST."""
    settings.DSRHUB_PRIVATE = is_private
    client = client_of(kind)
    wrong = []
    for route in OTHER_ROUTES:
        needs = REST.get(route.rstrip("/") + "/")
        # A method that a route does not offer is refused for every user, so it is sent for two kinds of them.
        every = {"HEAD", "GET", "POST", "PUT", "PATCH", "DELETE"}
        offered = {"GET", "POST", "DELETE"} if needs is None else needs.keys()
        for method in every if kind in ("anonymous", "superuser") else offered:
            response = client.generic(method, address(route))
            need = needs and needs.get("GET" if method == "HEAD" else method)
            if needs is None:
                is_right = True
            elif need is None:
                is_right = response.status_code == 405
            elif need == OPEN or (need == READ and (not is_private or kind != "anonymous")) or kind == "superuser":
                is_right = response.status_code not in NOT_ADMITTED
            else:
                is_right = response.status_code == (401 if kind == "anonymous" else 403)
            is_public = kind == "anonymous" and not is_private
            if not (is_right and (is_public or {"private", "no-store"} <= directives(response))):
                wrong.append((method, route, response.status_code, directives(response)))
    assert wrong == []


@pytest.mark.parametrize("kind", ["signed_in", "token"])
@pytest.mark.parametrize("permission", sorted({need for _, _, need in PERMITTED}))
def test_a_permission_allows_only_what_needs_it(kind, permission):
    client = client_of(kind, permission)
    admitted = [row for row in PERMITTED if ask(client, row[1], address(row[0])) not in NOT_ADMITTED]
    assert admitted == [row for row in PERMITTED if row[2] == permission]


@pytest.mark.parametrize(("route", "method", "need"), WRITES)
def test_a_session_writes_only_with_its_csrf_token(route, method, need):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of("superuser"))
    assert ask(client, method, address(route)) == 403


# --- GraphQL ---------------------------------------------------------------------------------------------------

QUERIES = {
    "currencies": "{ currencies { edges { node { code } } } }",
    "dsr": "{ dsr(id: 1) { id } }",
    "dsrs": "{ dsrs { edges { node { id } } } }",
    "exchangeRates": "{ exchangeRates { edges { node { rate } } } }",
    "identification": "{ identification(problem: NO_ISRC) { edges { node { rank } } } }",
    "message": "{ message(id: 1) { id } }",
    "messages": "{ messages { edges { node { id } } } }",
    "operatorRates": "{ operatorRates { edges { node { rate } } } }",
    "limitCrossings": "{ limitCrossings { edges { node { id } } } }",
    "limitsAreCurrent": "{ limitsAreCurrent }",
    "priceLimits": "{ priceLimits { edges { node { id } } } }",
    "resources": "{ resources { edges { node { dspId } } } }",
    "artists": "{ artists(credit: FULL) { edges { node { rank } } } }",
    "coverage": '{ coverage(from: "2020-01", to: "2020-01") { edges { node { dsp } } } }',
    "comparison": '{ comparison(by: DSP, period: "2020-01") { edges { node { name } } } }',
    "recordingComparison": '{ recordingComparison(period: "2020-01", percentile: 9) { edges { node { rank } } } }',
    "statistics": "{ statistics(groupBy: DSP) { edges { node { dsrCount } } } }",
    "subscription": "{ subscription(id: 1) { id } }",
    "subscriptions": "{ subscriptions { edges { node { id } } } }",
    "subscriptionsOverLimit": '{ subscriptionsOverLimit(priceLimit: "1") { edges { node { subscription { id } } } } }',
    "territories": "{ territories { edges { node { code2 } } } }",
    "topResources": "{ topResources(percentile: 10) { edges { node { rank } } } }",
    "version": "{ version(id: 1) { version { id } } }",
    "versions": "{ versions { edges { node { id } } } }",
    "usageMetrics": '{ usageMetrics(from: "2020-01-01", to: "2020-01-02") { edges { node { totalPrice } } } }',
}
RATE = 'currency: "NOK", periodStart: "2020-01-01", periodEnd: "2020-01-31", rate: "10"'
# Fields that are not for everybody, with the permission that they need.
FIELD_NEEDS = {"version": "catalogue.view_dsr", "versions": "catalogue.view_dsr"}
MUTATIONS = {
    "deleteVersion": ("mutation { deleteVersion(id: 1) { id } }", {"catalogue.delete_dsr"}),
    "revertToVersion": ("mutation { revertToVersion(id: 1) { dsrCount } }", {"catalogue.change_dsr"}),
    "deleteMessage": ("mutation { deleteMessage(id: 1) { id } }", {"catalogue.delete_dsr"}),
    "deleteDsr": ("mutation { deleteDsr(id: 1) { id } }", {"catalogue.delete_dsr"}),
    "createSubscription": (
        "mutation { createSubscription(carrier: att) { subscription { id } } }",
        {"subscriptions.add_subscription"},
    ),
    "changeSubscription": (
        "mutation { changeSubscription(id: 1, status: expired) { subscription { id } } }",
        {"subscriptions.change_subscription"},
    ),
    "sendUsageRecords": (
        "mutation { sendUsageRecords(records: []) { added } }",
        {"subscriptions.ingest_usage"},
    ),
    "setPriceLimit": (
        'mutation { setPriceLimit(type: data, span: total, price: "1") { priceLimit { id } } }',
        {"subscriptions.add_pricelimit"},
    ),
    "deletePriceLimit": ("mutation { deletePriceLimit(id: 1) { id } }", {"subscriptions.delete_pricelimit"}),
    "setOperatorRate": (
        f"mutation {{ setOperatorRate({RATE}) {{ changedDsrCount }} }}",
        {"catalogue.add_operatorrate", "catalogue.change_operatorrate"},
    ),
}
CLOSED = {"not_authenticated", "permission_denied"}


def codes(client, operation):
    """The codes of the errors with which GraphQL refuses a client."""
    response = client.post("/graphql", {"query": operation}, content_type="application/json")
    errors = json.loads(response.content).get("errors", [])
    return {error["extensions"]["code"] for error in errors}


def test_every_field_and_mutation_has_a_row_in_the_matrix():
    assert schema.graphql_schema.query_type.fields.keys() == QUERIES.keys()
    assert schema.graphql_schema.mutation_type.fields.keys() == MUTATIONS.keys()


@pytest.mark.parametrize("is_private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_field_of_graphql_is_open_to_users_who_may_read(kind, is_private, settings):
    settings.DSRHUB_PRIVATE = is_private
    client = client_of(kind)
    answers = {name: codes(client, operation) for name, operation in QUERIES.items()}
    if is_private and kind == "anonymous":
        assert answers == {name: {"not_authenticated"} for name in QUERIES}
    else:
        missing = {
            "dsr": {"dsr_not_found"},
            "message": {"message_not_found"},
            "subscription": {"subscription_not_found"},
            "version": {"version_not_found"},
        }
        if kind != "superuser":
            refused = {"not_authenticated" if kind == "anonymous" else "permission_denied"}
            missing |= dict.fromkeys(FIELD_NEEDS, refused)
        assert answers == {name: missing.get(name, set()) for name in QUERIES}


@pytest.mark.parametrize("name", FIELD_NEEDS)
def test_a_field_that_is_not_for_everybody_needs_only_its_permission(name):
    assert codes(client_of("token", FIELD_NEEDS[name]), QUERIES[name]) & CLOSED == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_refused_without_its_permissions(kind, name):
    expected = {"anonymous": {"not_authenticated"}, "superuser": set()}.get(kind, {"permission_denied"})
    assert codes(client_of(kind), MUTATIONS[name][0]) & CLOSED == expected


@pytest.mark.parametrize("kind", ["signed_in", "token"])
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_needs_each_of_its_permissions_and_no_other(kind, name):
    operation, needed = MUTATIONS[name]
    user = user_of(kind)
    client = Client(headers={"Authorization": f"Token {recipes.token.make(user=user).key}"})
    if kind == "signed_in":
        client = Client()
        client.force_login(user)
    every = {f"{p.content_type.app_label}.{p.codename}": p for p in Permission.objects.select_related("content_type")}
    for missing in needed:
        user.user_permissions.set([permission for name, permission in every.items() if name != missing])
        assert codes(client, operation) == {"permission_denied"}
    user.user_permissions.set([every[name] for name in needed])
    assert codes(client, operation) & CLOSED == set()


# --- Scopes of keys --------------------------------------------------------------------------------------------

# The scope that a key needs beside the permission of its owner.
SCOPES = {
    "catalogue.view_dsr": "read_reports",
    "catalogue.add_dsr": "import",
    "catalogue.change_dsr": "import",
    "catalogue.delete_dsr": "delete",
    "catalogue.add_operatorrate": "rates",
    "catalogue.change_operatorrate": "rates",
    "subscriptions.add_subscription": "write_usage",
    "subscriptions.ingest_usage": "write_usage",
    "subscriptions.change_subscription": "write_usage",
    "subscriptions.add_pricelimit": "write_usage",
    "subscriptions.delete_pricelimit": "write_usage",
    "webhooks.view_webhook": "admin",
    "webhooks.add_webhook": "admin",
    "webhooks.change_webhook": "admin",
    "webhooks.delete_webhook": "admin",
}
READS_OF_USAGE = {name for name in QUERIES if name.startswith(("subscription", "usage", "priceLimit", "limit"))}


def scope_of_route(route, method):
    need = REST[route][method]
    if need == READ:
        return "read_usage" if route.startswith("subscriptions/") else "read_reports"
    return None if need == OPEN else SCOPES[need]


def scope_of_field(name):
    if name in MUTATIONS:
        (scope,) = {SCOPES[permission] for permission in MUTATIONS[name][1]}
        return scope
    return SCOPES.get(FIELD_NEEDS.get(name)) or ("read_usage" if name in READS_OF_USAGE else "read_reports")


@pytest.mark.parametrize("is_private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("scope", Scope.values)
def test_a_scope_allows_only_what_needs_it(scope, is_private, settings):
    """Also what everybody may read, so that a program finds out at once what its key lacks."""
    settings.DSRHUB_PRIVATE = is_private
    client = client_with_key(user_of("superuser"), [scope])
    rows = [(route, method) for route, methods in REST.items() for method in methods if route != "token/"]
    said = {row: client.generic(row[1], address(row[0])) for row in rows}
    refused = {row for row, response in said.items() if response.status_code == 403}
    assert refused == {row for row in rows if scope_of_route(*row) not in (None, scope)}
    assert {said[row].json()["code"] for row in refused} == {"scope_missing"}
    operations = QUERIES | {name: operation for name, (operation, _) in MUTATIONS.items()}
    lacking = {name for name, operation in operations.items() if "scope_missing" in codes(client, operation)}
    assert lacking == {name for name in operations if scope_of_field(name) != scope}


NESTED = 'usage(from: "2020-01-01", to: "2020-01-02") { edges { node { totalPrice } } }'


@pytest.mark.parametrize(
    "operation",
    [
        f"mutation {{ changeSubscription(id: %s) {{ subscription {{ id {NESTED} }} }} }}",
        f"mutation {{ createSubscription(carrier: att) {{ subscription {{ id {NESTED} }} }} }}",
    ],
)
@pytest.mark.parametrize(
    ("scopes", "expected"), [(["write_usage"], {"scope_missing"}), (["write_usage", "read_usage"], set())]
)
def test_what_a_mutation_returns_does_not_lead_to_what_a_key_may_not_read(operation, scopes, expected):
    number = usage_recipes.subscription.make().pk
    client = client_with_key(user_of("superuser"), scopes)
    assert codes(client, operation.replace("%s", str(number))) == expected
    assert codes(client, operation.replace("%s", str(number)).replace(NESTED, "")) == set()


def lists_below(kind, seen):
    """The lists that a type of GraphQL leads to, as (type, field)."""
    found = set()
    for name, field in kind.fields.items():
        below = get_named_type(field.type)
        if "first" in field.args:
            found.add((kind.name, name))
        if isinstance(below, GraphQLObjectType) and below.name not in seen:
            found |= lists_below(below, seen | {below.name})
    return found


def test_mutations_lead_to_lists_of_their_own_application_only():
    """Each of these asks for the scope that reads it: see above."""
    payloads = [get_named_type(field.type) for field in schema.graphql_schema.mutation_type.fields.values()]
    assert set().union(*(lists_below(payload, set()) for payload in payloads)) == {("Subscription", "usage")}


def test_a_scope_gives_no_permission():
    client = client_with_key(user_of("signed_in"), Scope.values)
    assert {ask(client, method, address(route)) for route, method, _ in PERMITTED} == {403}
    assert {code for operation, _ in MUTATIONS.values() for code in codes(client, operation)} == {"permission_denied"}


@pytest.mark.parametrize(("dropping", "status"), [({}, 400), ({"drop_missing": "true"}, 403)])
def test_a_further_permission_of_a_request_needs_its_scope_too(dropping, status):
    """Replacing a report is an import, but dropping contexts that are missing in it is a deletion."""
    client = client_with_key(user_of("superuser"), ["import"])
    form = {"file": SimpleUploadedFile(NO_JANUARY, b"x"), "replace": "true"} | dropping
    assert client.post("/dsrs/", form).status_code == status


# --- Cells of refused files ------------------------------------------------------------------------------------

PROBLEMS = "query ($id: ID!) { dsr(id: $id) { problems { edges { node { code line column value } } } } }"
# What a reader finds in a file that is no report, and with a currency without a rate.
FOUND = [
    {"code": "column_unknown", "line": 1, "column": "root:x:0", "value": "root:x:0"},
    {"code": "column_missing", "line": 1, "column": "title", "value": None},
    {"code": "not_a_number", "line": 2, "column": "usages", "value": "secret"},
    {"code": "exchange_rate_missing", "line": None, "column": None, "value": "ARS"},
]
WITHOUT_CELLS = [
    {"code": "column_unknown", "line": 1, "column": None, "value": None},
    {"code": "column_missing", "line": 1, "column": "title", "value": None},
    {"code": "not_a_number", "line": 2, "column": "usages", "value": None},
    {"code": "exchange_rate_missing", "line": None, "column": None, "value": "ARS"},
]


def problems_shown(client, dsr):
    """The problems of a DSR by REST and by GraphQL, which must agree."""
    by_rest = [
        {part: problem.get(part) for part in ("code", "line", "column", "value")}
        for problem in client.get(f"/dsrs/{dsr.pk}/problems").json()
    ]
    body = {"query": PROBLEMS, "variables": {"id": dsr.pk}}
    answer = client.post("/graphql", body, content_type="application/json").json()
    assert [edge["node"] for edge in answer["data"]["dsr"]["problems"]["edges"]] == by_rest
    return by_rest


def dsr_with_problems(recipe, **values):
    dsr = recipe.make(**values)
    for problem in FOUND:
        catalogue_recipes.problem.make(dsr=dsr, **problem)
    return dsr


@pytest.mark.parametrize("kind", KINDS)
def test_cells_of_a_refused_file_are_hidden_without_a_permission(kind):
    refused = dsr_with_problems(catalogue_recipes.failed_dsr, imported_by=recipes.user.make(username="importer"))
    assert problems_shown(client_of(kind), refused) == (FOUND if kind == "superuser" else WITHOUT_CELLS)


@pytest.mark.parametrize("permission", ["catalogue.view_dsr", "catalogue.view_reportproblem", "catalogue.add_dsr"])
@pytest.mark.parametrize("kind", ["signed_in", "token"])
def test_only_permissions_to_view_show_the_cells_of_a_refused_file(kind, permission):
    refused = dsr_with_problems(catalogue_recipes.failed_dsr)
    expected = WITHOUT_CELLS if permission == "catalogue.add_dsr" else FOUND
    assert problems_shown(client_of(kind, permission), refused) == expected


def test_the_importer_sees_the_cells_of_the_own_refused_file():
    client = client_of("signed_in")
    refused = dsr_with_problems(catalogue_recipes.failed_dsr, imported_by=User.objects.get(username="signed_in"))
    assert problems_shown(client, refused) == FOUND
    assert problems_shown(client_of("anonymous"), refused) == WITHOUT_CELLS


def test_values_of_an_ingested_dsr_are_as_open_as_its_lines():
    assert problems_shown(client_of("anonymous"), dsr_with_problems(catalogue_recipes.dsr)) == FOUND


# --- The admin -------------------------------------------------------------------------------------------------

# Pages that need no permission, because they show no data of other users: sign-in and sign-out, the user's own
# password and language, and pages that list only what the user may open.
OPEN_TO_STAFF = {
    "admin/",
    "admin/language/",
    "admin/login/",
    "admin/logout/",
    "admin/password_change/",
    "admin/password_change/done/",
    "admin/jsi18n/",
    # Finds only what the user may see: see tests/pages/test_navigation.py.
    "admin/search/",
}
CATCH_ALL = "admin/(?P<url>.*)$"
# Staff users without a permission see nothing there: see the test below.
OF_NO_MODEL = {"app_list", "autocomplete", "view_on_site"}
# The admin's pages of users, tokens, webhooks and the audit log. The tests of catalogue and subscriptions cover the
# other pages.
PEOPLE = {
    "auth/user/": {"view_user", "change_user"},
    "auth/user/add/": set(),  # the page of a new user needs the permission to change users, too
    "auth/user/1/change/": {"view_user", "change_user"},
    "auth/user/1/history/": {"view_user", "change_user"},
    "auth/user/1/delete/": {"delete_user"},
    "auth/user/1/password/": {"change_user"},
    "auth/group/": {"view_group", "change_group"},
    "auth/group/add/": {"add_group"},
    "auth/group/1/change/": {"view_group", "change_group"},
    "auth/group/1/history/": {"view_group", "change_group"},
    "auth/group/1/delete/": {"delete_group"},
    "dsrhub/apikey/": {"view_apikey"},
    "dsrhub/apikey/add/": {"add_apikey"},
    "dsrhub/apikey/1/change/": {"view_apikey"},
    "dsrhub/apikey/1/history/": {"view_apikey"},
    "dsrhub/apikey/1/delete/": {"delete_apikey"},
    # Needs the permissions to view and to add keys: see tests/admin/test_keys.py.
    "dsrhub/apikey/1/rotate/": set(),
    "dsrhub/apitoken/": {"view_apitoken"},
    "dsrhub/apitoken/add/": {"add_apitoken"},
    "dsrhub/apitoken/1/change/": {"view_apitoken"},
    "dsrhub/apitoken/1/history/": {"view_apitoken"},
    "dsrhub/apitoken/1/delete/": {"delete_apitoken"},
    "dsrhub/auditentry/": {"view_auditentry"},
    "dsrhub/auditentry/export/": {"export_auditentry"},
    "dsrhub/auditentry/1/change/": {"view_auditentry"},
    "dsrhub/auditentry/1/history/": {"view_auditentry"},
    "webhooks/webhook/": {"view_webhook", "change_webhook"},
    "webhooks/webhook/add/": {"add_webhook"},
    "webhooks/webhook/1/change/": {"view_webhook", "change_webhook"},
    "webhooks/webhook/1/history/": {"view_webhook", "change_webhook"},
    "webhooks/webhook/1/delete/": {"delete_webhook"},
    # Buttons, which only a form presses: see tests/webhooks/test_admin.py.
    "webhooks/webhook/1/rotate/": set(),
    "webhooks/webhook/1/test/": set(),
    "webhooks/delivery/1/resend/": set(),
    # Who may view a webhook may view its log, which only workers write.
    "webhooks/delivery/": {"view_webhook", "change_webhook"},
    "webhooks/delivery/1/change/": {"view_webhook", "change_webhook"},
    "webhooks/delivery/1/history/": {"view_webhook", "change_webhook"},
    "webhooks/delivery/add/": set(),
    "webhooks/delivery/1/delete/": set(),
    # Nobody can write in the audit log, not even a superuser.
    "dsrhub/auditentry/add/": set(),
    "dsrhub/auditentry/1/delete/": set(),
}


@pytest.mark.parametrize("kind", ["anonymous", "signed_in", "token", "key of a superuser"])
def test_only_staff_may_enter_the_admin(kind):
    client = client_of(kind)
    for route in ADMIN_ROUTES:
        path = address(route)
        if route in ("admin/login/", "admin/logout/", "admin/jsi18n/", "admin/language/"):
            continue
        for response in (client.get(path), client.post(path)):
            is_refused = response.status_code == 302 and response["Location"].startswith("/admin/login/?next=")
            # The check of the CSRF token would refuse a post before the check of permissions.
            assert is_refused or (response.status_code == 403 and kind != "signed_in"), (route, response)


def test_staff_without_permissions_see_no_data_and_no_cache_stores_that():
    client = client_of("staff")
    closed = [route for route in ADMIN_ROUTES if route not in OPEN_TO_STAFF and route != CATCH_ALL]
    asked = [(route, send(address(route))) for route in closed for send in (client.get, client.post)]
    # For an object that does not exist, the admin may answer 404 before it checks the permission.
    seen = [
        (route, said)
        for route, said in asked
        if said.status_code not in (403, 404, 405) and not redirects_to_a_page(said)
    ]
    assert seen == []
    assert [route for route, said in asked if not {"private", "no-store"} <= directives(said)] == []


def redirects_to_a_page(response):
    return response.status_code in (301, 302) and (
        response["Location"] == "/admin/" or response["Location"].endswith("/change/")
    )


@pytest.fixture
def people_addresses():
    bob, group = recipes.user.make(), recipes.group.make()
    token, key, entry = recipes.token.make(user=bob), recipes.key.make(user=bob), recipes.audit_entry.make()
    webhook = webhook_recipes.webhook.make()
    write()

    found = {"user": bob, "group": group, "apitoken": token, "apikey": key, "auditentry": entry}
    found |= {"webhook": webhook, "delivery": webhook.deliveries.get()}

    def at(path):
        return "/admin/" + path.replace("1", str(found[path.split("/")[1]].pk))

    return at


def test_every_route_of_the_admin_is_in_a_matrix():
    matrices = {"catalogue": CATALOGUE_NEEDS, "subscriptions": SUBSCRIPTIONS_NEEDS}
    in_matrices = {
        f"{app}_{model}_{view}" for app, needs in matrices.items() for model, views in needs.items() for view in views
    }

    def is_in_one(route):
        path = address(route)
        return (
            route in OPEN_TO_STAFF
            or path.removeprefix("/admin/") in PEOPLE
            or resolve(path).url_name in in_matrices | OF_NO_MODEL
        )

    # The address of an object redirects to its change page.
    redirecting = {route for route in ADMIN_ROUTES if re.fullmatch(r"admin/\w+/\w+/<path:object_id>/", route)}
    assert {route for route in ADMIN_ROUTES if not is_in_one(route)} == redirecting | {CATCH_ALL}


def test_every_page_of_users_and_tokens_has_a_row():
    of_people = {
        address(route).removeprefix("/admin/")
        for route in ADMIN_ROUTES
        if re.search("admin/(auth|dsrhub|webhooks)/", route)
    }
    redirecting = {"auth/user/1/", "auth/group/1/", "dsrhub/apikey/1/", "dsrhub/apitoken/1/", "dsrhub/auditentry/1/"}
    redirecting |= {"webhooks/webhook/1/", "webhooks/delivery/1/"}
    assert of_people - redirecting == PEOPLE.keys()


def test_each_page_of_users_and_tokens_is_open_to_its_permissions_only(people_addresses):
    staff = user_of("staff")
    client = Client()
    client.force_login(staff)
    open_to = {path: set() for path in PEOPLE}

    def open_pages(permissions, application):
        staff.user_permissions.set(permissions)
        pages = [path for path in PEOPLE if path.startswith(f"{application}/")]
        return [path for path in pages if client.get(people_addresses(path)).status_code == 200]

    permissions = Permission.objects.exclude(content_type__model="permission")
    for application in ("auth", "dsrhub", "webhooks"):
        for permission in permissions.filter(content_type__app_label=application):
            for path in open_pages([permission], application):
                open_to[path].add(permission.codename)
        # All others together open none of them.
        assert open_pages(permissions.exclude(content_type__app_label=application), application) == []
    assert open_to == PEOPLE


def test_a_superuser_may_open_every_page(people_addresses):
    client = client_of("superuser")
    closed = {path for path, needed in PEOPLE.items() if not needed} - {"auth/user/add/", "dsrhub/apikey/1/rotate/"}
    expected = {path: 403 if path in closed else 200 for path in PEOPLE}
    assert {path: client.get(people_addresses(path)).status_code for path in PEOPLE} == expected


# --- Actions and inlines of the admin -------------------------------------------------------------------------

# The actions of each list, each with its permission. Lists that are not named here have none.
DELETING = {"delete_selected": "delete"}
EXPORTING = {"export_selected": "export"}
LIST_ACTIONS = {
    "auth.user": DELETING,
    "auth.group": DELETING,
    "dsrhub.apikey": DELETING,
    "dsrhub.apitoken": DELETING,
    "dsrhub.auditentry": EXPORTING,
    "catalogue.dsr": DELETING | EXPORTING,
    "catalogue.partyalias": DELETING,
    "catalogue.reportmessage": DELETING,
    "catalogue.resource": EXPORTING,
    "catalogue.supersededdsr": DELETING,
    "catalogue.template": DELETING,
    "subscriptions.datausagerecord": DELETING | EXPORTING,
    "subscriptions.pricelimit": DELETING,
    "subscriptions.subscription": EXPORTING,
    "subscriptions.voiceusagerecord": DELETING | EXPORTING,
    "webhooks.webhook": DELETING,
}


def request_of(user):
    request = RequestFactory().get("/admin/")
    request.user = user
    return request


def actions_for(user):
    """The actions that the lists of the admin offer to a user, by list."""
    found = {
        model._meta.label_lower: set(its_admin.get_actions(request_of(user)))
        for model, its_admin in admin.site._registry.items()
    }
    return {label: names for label, names in found.items() if names}


def test_every_action_of_a_list_has_a_row():
    assert actions_for(user_of("superuser")) == {label: set(actions) for label, actions in LIST_ACTIONS.items()}


@pytest.mark.parametrize("action", ["delete", "export"])
def test_an_action_of_a_list_needs_its_permission_only(action):
    staff = user_of("staff")
    needing = {
        label: {name for name, need in actions.items() if need == action} for label, actions in LIST_ACTIONS.items()
    }
    own = Permission.objects.filter(codename__startswith=f"{action}_")
    staff.user_permissions.set(own)
    assert actions_for(User.objects.get(pk=staff.pk)) == {label: names for label, names in needing.items() if names}
    staff.user_permissions.set(Permission.objects.exclude(pk__in=own))
    others = {label: set(LIST_ACTIONS[label]) - names for label, names in needing.items()}
    assert actions_for(User.objects.get(pk=staff.pk)) == {label: names for label, names in others.items() if names}


def test_no_page_of_the_admin_edits_rows_of_another_model():
    """Inlines have permissions of their own, which no matrix here has."""
    assert [its_admin for its_admin in admin.site._registry.values() if its_admin.get_inlines(None, None)] == []


# --- Answers before the routes ---------------------------------------------------------------------------------

# Who gets an answer from these addresses, which no route has.
BEFORE_ROUTES = {"/healthz": OPEN, "/readyz": OPEN, "/metrics": "the token of the settings", "/static/": OPEN}
# All middlewares. A new one may answer by itself: then its address belongs into BEFORE_ROUTES.
MIDDLEWARES = {
    *("dsrhub.logs.server.RequestLogMiddleware", "dsrhub.http.middleware.HealthMiddleware"),
    *("dsrhub.metrics.middleware.MetricsMiddleware", "dsrhub.http.proxy.ProxyMiddleware"),
    *(
        "dsrhub.http.middleware.LanguageMiddleware",
        "dsrhub.http.responses.CorsMiddleware",
        "dsrhub.http.bodies.BodyMiddleware",
    ),
    *("django.middleware.security.SecurityMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware"),
    *("dsrhub.http.responses.CompressionMiddleware", "dsrhub.http.responses.CachingMiddleware"),
    *("django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware"),
    "django.middleware.csrf.CsrfViewMiddleware",
    *("django.contrib.auth.middleware.AuthenticationMiddleware", "dsrhub.http.middleware.AdminInputMiddleware"),
    "django.contrib.messages.middleware.MessageMiddleware",
    *("django.middleware.clickjacking.XFrameOptionsMiddleware", "csp.middleware.CSPMiddleware"),
    *("dsrhub.throttling.ThrottledMiddleware", "dsrhub.http.middleware.NodeMiddleware"),
}


def test_every_middleware_is_known():
    assert set(product.MIDDLEWARE) == MIDDLEWARES


@pytest.mark.parametrize("kind", ["anonymous", "superuser"])
def test_what_is_answered_before_the_routes_is_open_or_needs_its_token(kind, settings):
    settings.DSRHUB_METRICS_TOKEN = "only Prometheus knows it"
    settings.DSRHUB_PRIVATE = True
    client = client_of(kind)
    answers = {path: client.get(path).status_code for path in BEFORE_ROUTES if path != "/static/"}
    assert answers == {"/healthz": 200, "/readyz": 200, "/metrics": 401}
    assert client.get("/static/dsrhub/nothing.js").status_code == 404
    assert client.post("/healthz").status_code in (200, 405)


# --- Commands --------------------------------------------------------------------------------------------------

# Whoever may run programs on the server may run all of these. They only read, write what is in no audit log (such as
# sums that are worked out again, and sample data), or leave entries in it, which tests/test_audit.py walks.
READS, WRITES, AUDITED, AUDITED_AS_FOLDER, CLOSED_COMMAND = "reads", "writes", "audited", "folder", "closed"
COMMANDS = {
    "add_sample_reports": WRITES,
    "add_sample_usage": WRITES,
    "api_keys": AUDITED,
    "asyncapi": READS,
    "changepassword": AUDITED,
    "createsuperuser": AUDITED,
    "distribute": WRITES,
    "drf_create_token": AUDITED,
    "export": READS,
    "forget_old_tokens": WRITES,
    "generate_dsrs": READS,
    "generate_usage": READS,
    "generateschema": READS,
    "graphql_schema": READS,
    "import": CLOSED_COMMAND,
    "import_dsr": AUDITED,
    "import_usage": AUDITED,
    "list_look_alikes": READS,
    "list_repeated_usage": READS,
    "load_ecb_rates": AUDITED,
    "makemigrations": READS,
    "purge_usage": AUDITED,
    "refresh_catalogue": AUDITED,
    "refresh_usage": WRITES,
    "rename_party": AUDITED,
    "set_exchange_rate": AUDITED,
    "spectacular": READS,
    "templates": AUDITED,
    "watch": AUDITED_AS_FOLDER,
    "worker": AUDITED,
}


def test_every_command_has_a_row():
    of_django = {name for name, application in get_commands().items() if application.startswith("django.")}
    assert get_commands().keys() - of_django == COMMANDS.keys()


def test_audited_commands_are_walked():
    walks = Path(__file__).with_name("test_audit.py").read_text()
    audited = [name for name, kind in COMMANDS.items() if kind == AUDITED]
    assert [name for name in audited if f'call_command("{name}"' not in walks] == []


def test_no_command_writes_rows_without_the_services():
    with pytest.raises(CommandError, match="without any check"):
        call_command("import", "auth.User", "users.csv")


# --- Tokens in the admin ---------------------------------------------------------------------------------------


def test_a_token_created_in_the_admin_is_shown_once_and_works(settings):
    settings.DSRHUB_PRIVATE = True
    bob = recipes.user.make()
    client = client_of("superuser")
    response = client.post("/admin/dsrhub/apitoken/add/", {"user": bob.pk, "name": "nightly upload"})
    page = response.content.decode()
    (key,) = re.findall("not shown again: <code>([0-9a-f]{40})</code>", page)
    assert page.count(key) == 1
    assert "no-store" in response["Cache-Control"]
    assert Client(headers={"Authorization": f"Token {key}"}).get("/dsrs/").status_code == 200
    token = ApiToken.objects.get()
    assert (token.user, token.name, token.prefix, token.created_by.username) == (
        bob,
        "nightly upload",
        key[:8],
        "superuser",
    )
    for path in ("", f"{token.pk}/change/", f"{token.pk}/history/", f"{token.pk}/delete/"):
        page = client.get(f"/admin/dsrhub/apitoken/{path}").content.decode()
        assert key[:8] in page
        for secret in (key, token.hash, token.fingerprint):
            assert secret not in page
    with connection.cursor() as cursor:
        cursor.execute("SELECT object_id, object_repr, change_message FROM django_admin_log")
        assert cursor.fetchall() == [(str(token.pk), f"Token {key[:8]}… of bob", '[{"added": {}}]')]


def test_deleting_a_user_does_not_show_the_tokens():
    old = recipes.old_token.make()
    token = recipes.token.make(user=old.user)
    client = client_of("superuser")
    for page in (
        client.get(f"/admin/auth/user/{token.user_id}/delete/"),
        client.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": token.user_id}),
    ):
        text = page.content.decode()
        assert "Token: Token of bob" in text
        assert f"Token {token.prefix}… of bob" in text
        assert [secret for secret in (old.key, token.key, token.hash) if secret in text] == []
    assert old.key not in repr(old)
    assert token.key not in repr(token)


def test_there_is_no_page_of_the_old_table():
    client = client_of("superuser")
    for name in ("token", "tokenproxy"):
        assert client.get(f"/admin/authtoken/{name}/").status_code == 404


@pytest.mark.parametrize("by", ["page", "action"])
@pytest.mark.parametrize("recipe", ["token", "old_token"])
def test_a_token_can_be_revoked_in_the_admin(by, recipe):
    key = getattr(recipes, recipe).make().key
    program = Client(headers={"Authorization": f"Token {key}"})
    assert program.get("/dsrs/").status_code == 200
    token = ApiToken.objects.get()
    client = client_of("superuser")
    path, form = f"/admin/dsrhub/apitoken/{token.pk}/delete/", {"post": "yes"}
    if by == "action":
        path = "/admin/dsrhub/apitoken/"
        form |= {"action": "delete_selected", "_selected_action": token.pk}
    assert client.post(path, form).status_code == 302
    assert program.get("/dsrs/").status_code == 401
    assert (ApiToken.objects.count(), Token.objects.count()) == (0, 0)


# --- Limits on signing in --------------------------------------------------------------------------------------

SIGN_INS = ["/token/", "/admin/login/"]


def sign_in(path, name="ada", password="wrong", address="10.0.0.1"):  # noqa: S107
    return Client(REMOTE_ADDR=address).post(path, {"username": name, "password": password})


@pytest.fixture
def ada(settings):
    settings.DSRHUB_SIGN_IN_FAILURES = 3
    return recipes.superuser.make()


@pytest.mark.parametrize("path", SIGN_INS)
def test_after_some_failures_an_address_must_wait_on_every_sign_in_page(ada, path):
    for number in range(3):
        assert sign_in(path, name=f"name-{number}").status_code in (200, 400)
    for door in SIGN_INS:
        response = sign_in(door, password="lovelace")
        assert response.status_code == 429
        assert 0 < int(response["Retry-After"]) <= 900
    assert sign_in("/token/").json()["code"] == "throttled"
    assert sign_in(path, password="lovelace", address="10.0.0.2").status_code in (200, 302)


def test_successful_sign_ins_are_not_counted(ada):
    for _ in range(5):
        assert sign_in("/token/", password="lovelace").status_code == 200


def test_failures_of_a_name_are_limited_over_all_addresses(ada):
    for number in range(30):
        assert sign_in("/token/", address=f"10.0.1.{number}", name="Ada" if number % 2 else "ada").status_code == 400
    assert sign_in("/token/", address="10.0.2.1", password="lovelace").status_code == 429
    assert sign_in("/token/", address="10.0.2.1", name="bob").status_code == 400


def test_the_wait_ends_after_its_time(ada):
    for _ in range(4):
        response = sign_in("/token/")
    assert response.status_code == 429
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dsrhub_tally SET ends_at = statement_timestamp()")
    assert sign_in("/token/", password="lovelace").status_code == 200


def test_expired_tallies_are_removed(ada):
    sign_in("/token/")
    assert Tally.objects.count() == 2
    with connection.cursor() as cursor:
        cursor.execute("UPDATE dsrhub_tally SET ends_at = statement_timestamp() - interval '1 second'")
    sign_in("/token/", name="bob", address="10.0.0.9")
    assert Tally.objects.count() == 2


def test_names_and_addresses_are_stored_as_hashes(ada):
    sign_in("/token/", name="my-password")
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in Tally.objects.values_list("key", flat=True))


# --- Failures that count like wrong passwords ------------------------------------------------------------------


def ask_with(key, path="/dsrs/", address="10.0.0.1"):
    client = Client(REMOTE_ADDR=address, headers={"Authorization": f"Token {key}"})
    return client.get(path) if path == "/dsrs/" else ask_graphql(client)


@pytest.mark.parametrize("path", ["/dsrs/", "/graphql"])
def test_invalid_tokens_count_as_failures_of_their_address(ada, path):
    assert [ask_with("0123", path).status_code for _ in range(3)] == [401, 401, 401]
    answer = ask_with("0123", path)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 900
    assert sign_in("/token/", password="lovelace").status_code == 429
    assert ask_with("0123", path, address="10.0.0.2").status_code == 401


def test_a_valid_token_works_beside_invalid_ones_and_is_not_counted(ada):
    key = recipes.token.make(user=ada).key
    assert [ask_with("0123").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert [ask_with(key).status_code for _ in range(5)] == [200] * 5
    assert Tally.objects.count() == 1


def change_password(client, old):
    form = {"old_password": old, "new_password1": "countess of", "new_password2": "countess of"}
    return client.post("/admin/password_change/", form)


def test_wrong_old_passwords_count_as_failures(ada):
    client = Client(REMOTE_ADDR="10.0.0.1")
    client.force_login(ada)
    assert [change_password(client, "wrong").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert change_password(client, "lovelace").status_code == 429
    assert sign_in("/token/", password="lovelace").status_code == 429
    ada.refresh_from_db()
    assert ada.check_password("lovelace")


def test_a_right_old_password_is_not_counted(ada):
    client = Client(REMOTE_ADDR="10.0.0.1")
    client.force_login(ada)
    refused = {"old_password": "lovelace", "new_password1": "a", "new_password2": "b"}
    assert [client.post("/admin/password_change/", refused).status_code for _ in range(5)] == [200] * 5
    assert change_password(client, "lovelace").status_code == 302
    assert sign_in("/token/", password="countess of").status_code == 200


# --- Failures elsewhere do not lock out ------------------------------------------------------------------------


def fail_from_a_network():
    """Fail so often that the name must wait everywhere."""
    for number in range(31):
        answer = sign_in("/token/", address=f"10.0.1.{number}")
    assert answer.status_code == 429


def test_failures_elsewhere_do_not_lock_out_who_signed_in_there_before(ada):
    assert sign_in("/token/", password="lovelace").status_code == 200
    fail_from_a_network()
    for path in SIGN_INS:
        assert sign_in(path, password="lovelace").status_code in (200, 302)
        assert sign_in(path, password="lovelace", address="10.0.2.1").status_code == 429


def test_failures_of_neighbours_do_not_lock_out_who_signed_in_there_before(ada):
    assert sign_in("/token/", password="lovelace").status_code == 200
    assert [sign_in("/token/", name="bob").status_code for _ in range(4)] == [400, 400, 400, 429]
    assert sign_in("/token/", password="lovelace").status_code == 200


def test_own_failures_are_limited_where_one_signed_in_before(ada):
    assert sign_in("/token/", password="lovelace").status_code == 200
    assert [sign_in("/token/").status_code for _ in range(4)] == [400, 400, 400, 429]
    assert sign_in("/token/", password="lovelace").status_code == 429
    # Who knows an address is not known under other names.
    assert sign_in("/token/", name="bob").status_code == 400


def test_an_address_is_known_for_some_months(ada):
    assert sign_in("/token/", password="lovelace").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(ends_at) - statement_timestamp() FROM dsrhub_tally")
        ((left,),) = cursor.fetchall()
        assert timedelta(days=89) < left <= timedelta(days=90)
        cursor.execute("UPDATE dsrhub_tally SET ends_at = statement_timestamp() - interval '1 second'")
    fail_from_a_network()
    assert sign_in("/token/", password="lovelace").status_code == 429
    # The next windows have removed the expired row.
    assert not Tally.objects.filter(ends_at__lt=timezone.now()).exists()


# --- The rate of anonymous clients -----------------------------------------------------------------------------


def ask_graphql(client):
    return client.post("/graphql", {"query": "{ __typename }"}, content_type="application/json")


def test_without_a_rate_no_client_is_counted(client, settings):
    assert settings.DSRHUB_ANONYMOUS_RATE is None
    client.get("/dsrs/")
    ask_graphql(client)
    assert Tally.objects.count() == 0


def test_beyond_the_rate_rest_and_graphql_say_how_long_to_wait(client, settings):
    settings.DSRHUB_ANONYMOUS_RATE = (2, 3600)
    assert client.get("/dsrs/").status_code == 200
    assert ask_graphql(client).status_code == 200
    answers = [client.get("/dsrs/"), ask_graphql(client), client.get("/subscriptions/usage/")]
    assert [answer.status_code for answer in answers] == [429, 429, 429]
    assert all(0 < int(answer["Retry-After"]) <= 3600 for answer in answers)
    assert answers[0].json()["code"] == "throttled"
    assert answers[1].json()["errors"][0]["extensions"]["code"] == "throttled"
    assert client.get("/healthz").status_code == 200
    assert client.get("/dsrs/", REMOTE_ADDR="10.0.0.2").status_code == 200


@pytest.mark.parametrize("kind", ["signed_in", "token"])
def test_signed_in_users_have_no_rate(kind, settings):
    settings.DSRHUB_ANONYMOUS_RATE = (1, 3600)
    client = client_of(kind)
    assert [client.get("/dsrs/").status_code for _ in range(3)] == [200, 200, 200]
    assert Tally.objects.count() == 0


def test_clients_over_the_rate_may_sign_in(client, settings, ada):
    settings.DSRHUB_ANONYMOUS_RATE = (1, 3600)
    assert [client.get("/dsrs/").status_code for _ in range(2)] == [200, 429]
    assert sign_in("/token/", password="lovelace", address="127.0.0.1").status_code == 200


# --- Caches ----------------------------------------------------------------------------------------------------


def directives(response):
    return set(response.get("Cache-Control", "").split(", "))


def test_open_reads_may_be_cached(client):
    assert directives(client.get("/dsrs/")) == {"public", "no-cache"}


@pytest.mark.parametrize("is_private", [False, True], ids=["public", "private"])
def test_no_cache_stores_a_token(client, settings, ada, is_private):
    settings.DSRHUB_PRIVATE = is_private
    response = client.post("/token/", {"username": "ada", "password": "lovelace"})
    assert response.json()["token"]
    assert "no-store" in directives(response)


def test_no_cache_stores_a_page_of_the_admin():
    client = client_of("superuser")
    paths = [address(route) for route in ADMIN_ROUTES if route != "admin/logout/"]
    assert [path for path in paths if not {"private", "no-store"} <= directives(client.get(path))] == []


# --- Headers ---------------------------------------------------------------------------------------------------

STRICT = (
    "base-uri 'self'; default-src 'self'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; "
    "object-src 'none'"
)


@pytest.mark.parametrize("path", ["/dsrs/", "/admin/login/", "/admin/", "/nowhere", "/docs/"])
def test_every_page_may_load_only_our_own_files(client, path):
    policy = client.get(path)["Content-Security-Policy"]
    assert "; ".join(sorted(policy.split("; "))) == STRICT
    assert "unsafe" not in policy


def test_only_the_playground_allows_styles_with_a_nonce(client):
    policy = client.get("/graphql", headers={"Accept": "text/html"})["Content-Security-Policy"]
    parts = sorted(policy.split("; "))
    (styles,) = (part for part in parts if part.startswith("style-src"))
    assert re.fullmatch("style-src 'self' 'nonce-[A-Za-z0-9_=+/-]{16,}'", styles)
    assert "; ".join(part for part in parts if part != styles) == STRICT
