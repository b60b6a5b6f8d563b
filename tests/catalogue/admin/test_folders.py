"""The page of drop folders: it answers "they put a file there at 9; where is it?"."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from catalogue.models import DropFolder
from dsrhub.stores.addresses import parsed_address
from tests.catalogue import recipes
from tests.catalogue.helpers import staff_with

pytestmark = pytest.mark.django_db

PAGE, RETRY = "admin:catalogue_dsr_folders", "admin:catalogue_dsr_folder_retry"


@pytest.fixture
def folder(tmp_path, settings):
    folder = tmp_path / "incoming"
    folder.mkdir()
    settings.DSRHUB_FOLDERS = [parsed_address(str(folder))]
    return folder


@pytest.fixture
def importer(client):
    client.force_login(staff_with("import_dsr", "view_dsr", "view_rejecteddelivery"))
    return client


def put(folder, name, content="a"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def shown(client, **query):
    response = client.get(reverse(PAGE, query=query))
    assert response.status_code == 200
    return response.content.decode()


def test_each_place_of_a_folder_is_shown(importer, folder):
    dsr, failed = recipes.dsr.make(), recipes.dsr.make(offer="Other")
    put(folder, "SPOTIFY_9.csv")
    put(folder, "late/SPOTIFY_8.csv")
    put(folder, "importing/1/result.json", {"state": "importing", "tries": 3, "planned": {"SPOTIFY_7.csv": "m"}})
    problem = {"code": "not_a_number", "line": 2, "column": "revenue", "value": "<x>"}
    refused = {"outcome": "refused", "code": "report_refused", "message": "It has errors.", "failed_dsr": failed.pk}
    refused |= {"files": [{"name": "SPOTIFY_6.csv"}], "problems": [problem], "error_count": 5}
    put(folder, "refused/1/result.json", refused)
    put(
        folder,
        "done/1/result.json",
        {"outcome": "loaded", "dsrs": [dsr.pk, 4711], "files": [{"name": "SPOTIFY_5.csv"}]},
    )
    page = shown(importer)
    for name in ("SPOTIFY_9.csv", "late", "SPOTIFY_7.csv", "SPOTIFY_6.csv", "SPOTIFY_5.csv"):
        assert name in page
    assert "It may still grow" in page
    assert "line 2, revenue: &lt;x&gt;." in page
    assert "and 4 more" in page
    assert f'<a href="/admin/catalogue/dsr/{dsr.pk}/change/">DSR {dsr.pk}</a>' in page
    assert f"/admin/catalogue/dsr/{failed.pk}/change/" in page
    assert "/4711/" not in page
    found = shown(importer, q="spotify_5")
    assert "SPOTIFY_5.csv" in found
    assert "SPOTIFY_9.csv" not in found


def test_what_a_user_may_not_view_is_not_linked(client, folder):
    client.force_login(staff_with("import_dsr"))
    dsr = recipes.dsr.make()
    put(folder, "done/1/result.json", {"dsrs": [dsr.pk], "files": [{"name": "a.csv"}]})
    page = shown(client)
    assert f"DSR {dsr.pk}" in page
    assert f"/admin/catalogue/dsr/{dsr.pk}/" not in page


def test_folders_out_of_reach_and_unwatched_ones_say_so_without_secrets(importer, tmp_path, settings):
    settings.DSRHUB_FOLDERS = [
        parsed_address(str(tmp_path / "missing")),
        parsed_address("sftp://dsp:pass-word@127.0.0.1:1/out"),
    ]
    page = shown(importer)
    assert page.count("The folder cannot be reached:") == 2
    assert page.count("Nobody looks at this folder") == 2
    assert "sftp://dsp@127.0.0.1:1/out" in page
    assert "pass-word" not in page
    for one in settings.DSRHUB_FOLDERS:
        DropFolder.objects.create(address=one.shown, looked_at=timezone.now())
    assert "Nobody looks at this folder" not in shown(importer)


def test_without_folders_the_page_says_how_to_name_some(importer, settings):
    settings.DSRHUB_FOLDERS = []
    DropFolder.objects.create(address="/of/the/command", looked_at=timezone.now())
    page = shown(importer)
    assert "DSRHUB_FOLDERS" in page
    assert "/of/the/command" in page


def test_the_number_of_queries_does_not_depend_on_what_lies_there(importer, folder, settings, tmp_path):
    def count():
        with CaptureQueriesContext(
            connection,
        ) as queries:
            shown(importer)
        return len(queries)

    put(folder, "done/1/result.json", {"dsrs": [recipes.dsr.make().pk], "files": [{"name": "a.csv"}]})
    before = count()
    for number in range(8):
        put(folder, f"{number}.csv")
        put(folder, f"done/2{number}/result.json", {"dsrs": [1, 2, 3], "files": [{"name": "a.csv"}]})
        settings.DSRHUB_FOLDERS = [*settings.DSRHUB_FOLDERS, parsed_address(str(tmp_path / f"other{number}"))]
    assert count() == before


def test_a_button_tries_a_refused_delivery_again(importer, folder):
    put(folder, "refused/1/a.tsv", "content")
    assert reverse(RETRY) in shown(importer)
    response = importer.post(reverse(RETRY), {"folder": str(folder), "delivery": "1"}, follow=True)
    assert "1 file is back in the folder." in response.content.decode()
    assert (folder / "a.tsv").read_text() == "content"
    page = importer.post(reverse(RETRY), {"folder": str(folder), "delivery": "1"}, follow=True).content.decode()
    assert "There is no refused delivery 1 with files to try again." in page
    assert reverse(RETRY) not in page


def test_only_a_post_to_a_folder_of_the_settings_moves_anything(importer, folder, tmp_path):
    put(tmp_path, "other/refused/1/a.tsv")
    put(folder, "refused/1/a.tsv")
    assert importer.get(reverse(RETRY), {"folder": str(folder), "delivery": "1"}).status_code == 405
    assert importer.post(reverse(RETRY), {"folder": str(tmp_path / "other"), "delivery": "1"}).status_code == 404
    assert not (folder / "a.tsv").exists()
    assert importer.get(reverse(PAGE), {"folder": str(tmp_path / "other")}).status_code == 400
