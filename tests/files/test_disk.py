"""Files that are not files: links, FIFOs and folders, wherever a program looks for files."""

import io
import os
import stat

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalogue.dsrs.kept_files import kept_file, kept_file_open
from catalogue.imports.queue.worker import queue_drain, uploads_clear
from catalogue.imports.services import dsr_import
from catalogue.models import DSR, ImportJob
from catalogue.reports.delivery import Delivery
from dsrhub.files import uploads
from dsrhub.files.disk import FolderContent, FoundFile, NotARegularFile, ends_in, file_open, file_sha256, files_below
from dsrhub.import_export.uploads import UploadStorage
from tests.catalogue import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, line, write_report

SECRET = "root:x:0:0"


@pytest.fixture
def secret(tmp_path):
    """A file outside the folder, which dsrhub can read and the people who deliver files cannot."""
    path = tmp_path / "outside" / "passwd"
    path.parent.mkdir()
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deliveries").mkdir()
    return tmp_path / "deliveries"


def plant(kind, path, secret):
    """Put something at `path` that is not a file."""
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "dangling link":
        path.symlink_to(secret.with_name("missing"))
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mknod(path, stat.S_IFSOCK)


NO_FILES = ["link", "dangling link", "FIFO", "device", "folder", "socket"]


@pytest.mark.parametrize("kind", NO_FILES)
def test_only_a_regular_file_in_the_folder_is_opened(folder, secret, kind):
    plant(kind, folder / "a.tsv", secret)
    for opener in (file_open, file_sha256):
        with pytest.raises(NotARegularFile, match=r"a\.tsv: not a regular file"):
            opener(folder / "a.tsv", folder)
    with pytest.raises(NotARegularFile):
        Delivery(folder / "a.tsv", "a.tsv", folder=folder)


@pytest.mark.parametrize(
    "inside", ["linked/passwd", "sub/linked/passwd", "../outside/passwd", "sub/../../outside/passwd"]
)
def test_no_part_of_the_path_leads_out_of_the_folder(folder, secret, inside):
    (folder / "sub").mkdir()
    for place in (folder, folder / "sub"):
        (place / "linked").symlink_to(secret.parent)
    with pytest.raises(NotARegularFile):
        file_open(folder / inside, folder)
    with pytest.raises(NotARegularFile):
        file_open(secret, folder)


def test_a_file_in_a_subfolder_is_opened_and_the_folder_itself_may_be_a_link(folder, tmp_path):
    (folder / "sub").mkdir()
    (folder / "sub" / "a").write_bytes(b"abc")
    (tmp_path / "named").symlink_to(folder)
    with file_open(tmp_path / "named" / "sub" / "a", tmp_path / "named") as file:
        assert file.read() == b"abc"
    with pytest.raises(FileNotFoundError):
        file_open(folder / "sub" / "b", folder)


def test_a_person_may_name_a_link_but_nothing_that_is_no_file(folder, secret):
    plant("link", folder / "a", secret)
    with file_open(folder / "a") as file:
        assert file.read().decode() == f"{SECRET}\n"
    for kind in ("FIFO", "device", "folder"):
        plant(kind, folder / kind, secret)
        with pytest.raises(NotARegularFile):
            file_open(folder / kind)


def test_links_to_folders_are_told_and_not_followed(folder, secret):
    (folder / "sub").mkdir()
    for path in (folder / "b.tsv", folder / "sub" / "a.tsv", folder / "other.txt"):
        path.touch()
    (folder / "c.tsv").symlink_to(secret)
    (folder / "linked").symlink_to(secret.parent)
    (folder / "around").symlink_to(folder)
    found = [folder / name for name in ("b.tsv", "c.tsv", "other.txt", "sub/a.tsv")]
    assert files_below(folder) == (
        [FoundFile(path, folder) for path in found],
        [folder / "around", folder / "linked"],
        [],
    )


def test_files_of_the_operating_system_are_left_out(folder):
    (folder / "__MACOSX").mkdir()
    (folder / "sub" / "__macosx").mkdir(parents=True)
    names = ["._a.tsv", ".DS_Store", "Thumbs.db", "thumbs.DB", "Desktop.ini", "__MACOSX/b.tsv", "sub/__macosx/c.tsv"]
    for name in (*names, "sub/._d.tsv", ".hidden.tsv", "a.tsv", "_.tsv", "Thumbs.db.tsv"):
        (folder / name).touch()
    found = [folder / name for name in (".hidden.tsv", "Thumbs.db.tsv", "_.tsv", "a.tsv")]
    assert files_below(folder) == ([FoundFile(path, folder) for path in found], [], [])


@pytest.mark.parametrize(
    ("name", "has_ending"),
    [("a.tsv", True), ("a.TSV", True), ("a.Tsv.GZ", True), ("a.tsv.zip", False), ("tsv", False), ("a.t\u017fv", False)],
)
def test_the_case_of_an_ending_does_not_matter(name, has_ending):
    assert ends_in(name, (".tsv", ".tsv.gz")) == has_ending


# --- Deliveries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_a_file_put_in_the_place_of_another_is_not_read(folder, name):
    path = write_report(folder, name, line("a"))
    expected = b"".join(Delivery(path, name).chunks())
    delivery = Delivery(path, name, folder=folder)
    first = delivery.chunks()
    taken = [next(first)]
    write_report(folder, "other", line("b")).replace(path)
    assert b"".join([*taken, *first]) == expected
    assert b"".join(delivery.chunks()) == expected
    assert delivery.head() == expected


def import_folder(folder, **options):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_dsr", folder, **options, stdout=out, stderr=err)
    except CommandError as failure:
        err.write(f"{failure}\n")
    return out.getvalue().splitlines(), err.getvalue().splitlines()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("kind", ["link", "dangling link", "FIFO", "socket"])
def test_import_dsr_refuses_what_is_not_a_file_and_imports_the_others(folder, secret, kind, jobs):
    plant(kind, folder / ES_JANUARY, secret)
    write_report(folder, NO_JANUARY, line("a"))
    out, err = import_folder(folder, jobs=jobs)
    assert [text.split(":")[0] for text in out] == [NO_JANUARY]
    assert err == [
        f"refused: {ES_JANUARY}: not a regular file in its folder. Links are not followed.",
        "1 of 2 files refused.",
    ]
    assert [dsr.path for dsr in DSR.objects.all()] == [NO_JANUARY]  # no failed DSR with problems


@pytest.mark.django_db(transaction=True)
def test_import_dsr_tells_of_linked_folders(folder, tmp_path):
    (tmp_path / "others").mkdir()
    write_report(tmp_path / "others", ES_JANUARY, line("a"))
    (folder / "linked").symlink_to(tmp_path / "others")
    write_report(folder, NO_JANUARY, line("a"))
    out, err = import_folder(folder)
    assert out[-1] == "1 file imported, 1 linked folder skipped."
    assert err == [f"skipped: {folder / 'linked'}: a link to a folder, which is not followed."]
    assert [dsr.path for dsr in DSR.objects.all()] == [NO_JANUARY]


@pytest.mark.django_db(transaction=True)
def test_a_file_that_goes_meanwhile_does_not_stop_the_others(folder, monkeypatch):
    gone, there = folder / ES_JANUARY, write_report(folder, NO_JANUARY, line("a"))
    monkeypatch.setattr(
        "catalogue.imports.finding.files_below",
        lambda _: FolderContent([FoundFile(gone, folder), FoundFile(there, folder)], [], []),
    )
    out, err = import_folder(folder, jobs=1)
    assert len(out) == 1
    assert err == [f"refused: {gone}: No such file or directory", "1 of 2 files refused."]


# --- Uploads ---------------------------------------------------------------------------------------------------


@pytest.fixture
def upload_folder(settings, folder):
    settings.DSRHUB_UPLOAD_DIR = folder
    return folder


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", [ImportJob.State.TO_CHECK, ImportJob.State.TO_LOAD])
def test_a_job_does_not_follow_a_link_in_place_of_its_upload(upload_folder, secret, state, admin_user):
    plant("link", upload_folder / "stored", secret)
    job = recipes.import_job.make(state=state, uploaded_by=admin_user, file_sha256=file_sha256(secret))
    queue_drain()
    job.refresh_from_db()
    assert (job.state, job.preview, job.problems) == (ImportJob.State.REFUSED, None, None)
    assert job.message.startswith("The uploaded file cannot be read: stored: not a regular file")


@pytest.mark.django_db
def test_clearing_the_upload_folder_removes_links_and_leaves_their_targets_and_folders(upload_folder, secret):
    for kind in ("link", "dangling link", "folder"):
        plant(kind, upload_folder / kind, secret)
        old = timezone.now().timestamp() - 3 * 24 * 3600
        os.utime(upload_folder / kind, (old, old), follow_symlinks=False)
    uploads_clear()
    assert [path.name for path in upload_folder.iterdir()] == ["folder"]
    assert secret.read_text() == f"{SECRET}\n"


def test_an_upload_is_not_written_through_a_link(upload_folder, secret, monkeypatch):
    monkeypatch.setattr(uploads, "uuid4", lambda: type("Fixed", (), {"hex": "stored"}))
    plant("link", upload_folder / "stored", secret)
    with TemporaryUploadedFile("a.tsv", "", 3, None) as upload:
        upload.write(b"abc")
        upload.flush()
        with pytest.raises(FileExistsError):
            UploadStorage().save(upload)
    assert secret.read_text() == f"{SECRET}\n"


# --- Kept files ------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(settings, folder):
    settings.DSRHUB_KEEP_FILES = str(folder)
    return folder


@pytest.mark.django_db(transaction=True)
def test_a_kept_file_is_not_written_through_a_link(kept, secret, tmp_path, monkeypatch):
    """An earlier import of the same content shows the names, and the next id is that of the next import."""
    path = write_report(tmp_path, NO_JANUARY, line("a"))
    first = dsr_import(path=path, name=NO_JANUARY).dsr
    for number in range(first.pk + 1, first.pk + 9):
        (kept_file(first).parent / f"{first.sha256}-{number}.draft").symlink_to(secret)
    second = dsr_import(path=path, name=ES_JANUARY).dsr
    assert first.pk < second.pk < first.pk + 9
    assert secret.read_text() == f"{SECRET}\n"
    with kept_file_open(second) as file:
        assert file.read() == path.read_bytes()


@pytest.mark.django_db(transaction=True)
def test_a_linked_folder_among_the_kept_files_is_not_written_to(kept, secret, tmp_path):
    path = write_report(tmp_path, NO_JANUARY, line("a"))
    (kept / file_sha256(path)[:2]).symlink_to(secret.parent)
    with pytest.raises(NotARegularFile):
        dsr_import(path=path, name=NO_JANUARY)
    assert [file.name for file in secret.parent.iterdir()] == ["passwd"]
    assert not DSR.objects.ingested().exists()


@pytest.mark.django_db(transaction=True)
def test_a_link_in_place_of_a_kept_file_is_not_downloaded(kept, secret, tmp_path, admin_client):
    dsr = dsr_import(path=write_report(tmp_path, NO_JANUARY, line("a")), name=NO_JANUARY).dsr
    at = kept_file(dsr)
    at.unlink()
    at.symlink_to(secret)
    assert admin_client.get(f"/admin/catalogue/dsr/{dsr.pk}/file/").status_code == 404
    at.unlink()
    at.parent.rmdir()
    at.parent.symlink_to(secret.parent)
    (secret.parent / at.name).write_text(SECRET)
    assert admin_client.get(f"/admin/catalogue/dsr/{dsr.pk}/file/").status_code == 404
