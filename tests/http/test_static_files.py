"""Static files are served before `collectstatic`, and after it if a newer release has further files."""

import re

import pytest
from django.core.management import call_command
from django.test import override_settings

from dsrhub.http.static_files import CollectedOrSource

NAME = "dsrhub/admin.css"


def test_before_collectstatic_a_file_has_its_own_name(tmp_path):
    assert CollectedOrSource(location=tmp_path).url(NAME) == f"/static/{NAME}"


def test_after_collectstatic_its_name_has_a_hash_and_a_new_file_keeps_its_name(tmp_path, settings):
    (tmp_path / "staticfiles.json").write_text(
        '{"version": "1.1", "paths": {"dsrhub/admin.css": "dsrhub/admin.0123456789ab.css"}, "hash": ""}'
    )
    storage = CollectedOrSource(location=tmp_path)
    assert storage.url(NAME) == "/static/dsrhub/admin.0123456789ab.css"
    assert storage.url("dsrhub/new.css?v=1#top") == "/static/dsrhub/new.css?v=1#top"


@pytest.mark.django_db
def test_the_sign_in_and_its_files_need_nothing_collected(client):
    page = client.get("/admin/login/").content.decode()
    files = re.findall('(?:href|src)="(/static/[^"]+)"', page)
    assert f"/static/{NAME}" in files
    assert [path for path in files if client.get(path).status_code != 200] == []


def test_collectstatic_writes_names_with_hashes(tmp_path, settings):
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "dsrhub.http.static_files.CollectedOrSource"}}
    with override_settings(STATIC_ROOT=tmp_path, STORAGES=storages):
        # Compressing large files of others takes half a minute.
        others = ["drf_spectacular_sidecar", "rest_framework", "vendor"]
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=others)
        url = CollectedOrSource().url(NAME)
    assert re.fullmatch(r"/static/dsrhub/admin\.[0-9a-f]{12}\.css", url)
    assert (tmp_path / url.removeprefix("/static/")).exists()
