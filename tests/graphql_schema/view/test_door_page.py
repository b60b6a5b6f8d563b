"""The page of the playground and its static files, tested without a browser."""

import re

import pytest
from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

from tests.graphql_schema.view.test_door import post

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.graphql_schema.door")]


def directives(answer):
    policy = answer["Content-Security-Policy"]
    return {name: set(sources) for name, *sources in (part.split() for part in policy.split(";"))}


@pytest.fixture
def page(client):
    return client.get("/graphql", headers={"Accept": "text/html"})


def test_the_policy_of_the_page_adds_only_a_nonce_for_styles(client, page):
    common = directives(post(client, "{ user }"))
    assert common["default-src"] == {"'self'"}
    assert "style-src" not in common
    nonce = re.search('data-nonce="(.+?)"', page.content.decode())[1]
    assert directives(page) == common | {"style-src": {"'self'", f"'nonce-{nonce}'"}}


def test_the_page_has_no_script_or_style_inside_and_names_no_other_host(page):
    text = page.content.decode()
    assert [script for script in re.findall(r"<script[^>]*>([^<]*)", text) if script.strip()] == []
    assert "<style" not in text
    assert "style=" not in text
    assert set(re.findall(r'(?:src|href)="(/static/|[^"]*)', text)) == {"/static/"}


def test_the_page_is_not_cached(page):
    assert "no-store" in page["Cache-Control"]


def test_its_static_files_can_be_collected(tmp_path):
    finder = AppDirectoriesFinder(["graphql_schema"])
    files = {path: (storage, path) for path, storage in finder.list([])}
    assert "graphql_schema/vendor/graphiql.min.js" in files
    storage = ManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    for path, (source, _) in files.items():
        storage.save(path, source.open(path))
    # A reference to a missing file, such as a source map, raises an exception here.
    assert [outcome for *_, outcome in storage.post_process(files) if isinstance(outcome, Exception)] == []


def test_no_file_refers_to_a_source_map_or_a_font():
    folder = settings.BASE_DIR / "graphql_schema" / "static"
    texts = {path.name: path.read_text() for path in folder.rglob("*.min.*")}
    assert len(texts) == 4
    assert [name for name, text in texts.items() if "sourceMappingURL" in text or "@font-face{" in text] == []
