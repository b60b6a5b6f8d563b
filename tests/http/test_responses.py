"""Compression, the rules for caches, and access for scripts of other sites."""

import gzip

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from catalogue.api import contract
from catalogue.api.questions import percentile
from dsrhub.http.responses import CachingMiddleware
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import ES_JANUARY, import_report, line

pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def dsrs():
    return catalogue_recipes.dsr.make(_quantity=20, offer=iter("abcdefghijklmnopqrst"))


# --- Compression -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br;q=1, gzip;q=0.001", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_data_is_compressed_for_clients_that_accept_gzip(client, dsrs, accepted, is_compressed):
    plain = client.get("/dsrs/").content
    response = client.get("/dsrs/", headers={"Accept-Encoding": accepted})
    assert response.get("Content-Encoding") == ("gzip" if is_compressed else None)
    assert (gzip.decompress(response.content) if is_compressed else response.content) == plain
    assert int(response["Content-Length"]) == len(response.content)
    assert "Accept-Encoding" in response["Vary"]


def test_a_streamed_answer_stays_streamed_and_closes_its_ranking(client, tmp_path, monkeypatch):
    for module, name in ((contract, "FIRST_PIECE"), (contract, "PIECE"), (percentile, "FIRST_PIECE")):
        monkeypatch.setattr(module, name, 2)
    import_report(tmp_path, ES_JANUARY, *[line(f"id{n}", title="title" * 9, revenue="1") for n in range(9)])
    closed = []
    close = percentile.Pieces.__init__

    def noting(self, pieces, given):
        close(self, pieces, lambda: closed.append(given()))

    monkeypatch.setattr(percentile.Pieces, "__init__", noting)
    plain = client.get("/resources/percentile/100").getvalue()
    response = client.get("/resources/percentile/100", headers=GZIP)
    assert response.streaming
    assert (response["Content-Encoding"], response.has_header("Content-Length")) == ("gzip", False)
    assert closed == [None]
    assert gzip.decompress(response.getvalue()) == plain
    assert closed == [None, None]


@pytest.mark.parametrize("path", ["/admin/login/", "/docs/?script=", "/graphql"])
def test_a_page_with_a_csrf_token_is_not_compressed(client, path):
    response = client.get(path, headers=GZIP | {"Accept": "text/html"})
    assert response.status_code == 200
    assert "csrf" in response.content.decode().lower()
    assert "Content-Encoding" not in response


@pytest.mark.parametrize("path", ["/openapi.yaml", "/admin/catalogue/currency/"])
def test_what_is_compressed_and_what_is_not(admin_client, path):
    response = admin_client.get(path, headers=GZIP)
    assert response.get("Content-Encoding") == ("gzip" if path == "/openapi.yaml" else None)


def test_each_answer_has_another_length(client, dsrs):
    """Its random bytes hide how well a text of an attacker compresses."""
    assert len({len(client.get("/dsrs/", headers=GZIP).content) for _ in range(30)}) > 1


# --- Caches ----------------------------------------------------------------------------------------------------


def test_public_data_may_be_kept_and_must_be_asked_for_again(client, dsrs):
    first = client.get("/dsrs/")
    assert first["Cache-Control"] == "public, no-cache"
    assert {"Cookie", "Authorization"} <= set(first["Vary"].split(", "))
    for path in ("/dsrs/", "/dsrs"):
        again = client.get(path, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert again["Cache-Control"] == "public, no-cache"
    dsrs[0].delete()
    changed = client.get("/dsrs/", headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, len(changed.json())) == (200, 19)
    assert changed["ETag"] != first["ETag"]


def test_a_compressed_answer_has_a_weak_tag_that_matches(client, dsrs):
    tag = client.get("/dsrs/", headers=GZIP)["ETag"]
    assert tag == "W/" + client.get("/dsrs/")["ETag"]
    assert client.get("/dsrs/", headers=GZIP | {"If-None-Match": tag}).status_code == 304


def test_the_tag_changes_with_the_link_to_the_next_page(client, dsrs):
    last = client.get("/dsrs/", {"limit": 20})
    assert "Link" not in last
    catalogue_recipes.dsr.make(offer="z")
    page = client.get("/dsrs/", {"limit": 20}, headers={"If-None-Match": last["ETag"]})
    assert (page.status_code, page.content) == (200, last.content)
    assert 'rel="next"' in page["Link"]


def test_head_has_the_tag_of_get(client, dsrs):
    assert client.head("/dsrs/")["ETag"] == client.get("/dsrs/")["ETag"]


def test_a_tag_that_no_longer_matches_fails_if_match(client, dsrs):
    assert client.get("/dsrs/", headers={"If-Match": '"other"'}).status_code == 412


@pytest.mark.parametrize("path", ["/dsrs/0", "/dsrs/?limit=0", "/nowhere", "/docs/", "/admin/login/", "/graphql"])
def test_errors_and_pages_have_no_tag(client, path):
    response = client.get(path, headers={"Accept": "text/html"})
    assert "ETag" not in response
    assert "public" not in response.get("Cache-Control", "")


@pytest.mark.parametrize("kind", ["session", "token", "wrong cookie", "private"])
def test_no_cache_keeps_an_answer_to_a_known_user(dsrs, settings, kind):
    client = Client()
    if kind == "session":
        client.force_login(recipes.user.make())
    if kind == "token":
        client = Client(headers={"Authorization": f"Token {recipes.token.make().key}"})
    if kind == "wrong cookie":
        client.cookies["sessionid"] = "x"
    settings.DSRHUB_PRIVATE = kind == "private"
    response = client.get("/dsrs/")
    assert response["Cache-Control"] == "private, no-store"
    assert "ETag" not in response


def test_an_answer_with_a_cookie_is_not_kept():
    def view(request):
        response = HttpResponse("[]", content_type="application/json")
        response.set_cookie("a", "b")
        return response

    response = CachingMiddleware(view)(RequestFactory().get("/"))
    assert "Cache-Control" not in response


# --- Scripts of other sites ------------------------------------------------------------------------------------

SITE = "https://app.example"
PREFLIGHT = {
    "Origin": SITE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def cors(response):
    return {name for name in response.headers if name.startswith("Access-Control-")}


@pytest.mark.parametrize("path", ["/dsrs/", "/graphql", "/nowhere"])
def test_without_the_setting_no_site_is_let_in(client, path):
    for response in (client.get(path, headers={"Origin": SITE}), client.options(path, headers=PREFLIGHT)):
        assert cors(response) == set()
        assert "Origin" not in response.get("Vary", "")


@pytest.mark.parametrize("origins", [[SITE, "https://other.example"], ["*"]])
@pytest.mark.parametrize("private", [False, True])
def test_a_script_of_a_listed_site_reads_answers_and_errors(client, settings, origins, private):
    settings.DSRHUB_CORS_ORIGINS = origins
    settings.DSRHUB_PRIVATE = private
    for path, status in (("/dsrs/", 401 if private else 200), ("/nowhere", 404)):
        response = client.get(path, headers={"Origin": SITE})
        assert response.status_code == status
        assert response["Access-Control-Allow-Origin"] == SITE
        assert "Link" in response["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in response
        assert "Origin" in response["Vary"]
    refused = client.post("/dsrs/", headers={"Origin": SITE, "Transfer-Encoding": "chunked"})
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (411, SITE)


def test_a_listed_site_may_send_tokens(client, settings):
    settings.DSRHUB_CORS_ORIGINS = [SITE]
    response = client.options("/dsrs/", headers=PREFLIGHT)
    assert (response.status_code, response.content) == (204, b"")
    assert response["Access-Control-Allow-Origin"] == SITE
    assert {"POST", "DELETE"} <= set(response["Access-Control-Allow-Methods"].split(", "))
    assert {"Authorization", "Content-Type"} <= set(response["Access-Control-Allow-Headers"].split(", "))


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "http://app.example", "https://app.example:8443", "null"]
)
def test_another_site_is_not_let_in(client, settings, origin):
    settings.DSRHUB_CORS_ORIGINS = [SITE]
    response = client.get("/dsrs/", headers={"Origin": origin})
    assert (response.status_code, cors(response)) == (200, set())
    assert "Origin" in response["Vary"]
    assert cors(client.options("/dsrs/", headers=PREFLIGHT | {"Origin": origin})) == set()


def test_no_site_is_let_into_the_admin(admin_client, settings):
    settings.DSRHUB_CORS_ORIGINS = ["*"]
    assert cors(admin_client.get("/admin/", headers={"Origin": SITE})) == set()
    assert cors(admin_client.options("/admin/", headers=PREFLIGHT)) == set()
