"""Delivered files: their content, compressed or not, and the name that gzip stores."""

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import threading
import zipfile
import zlib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from catalogue.reports.delivery import CHUNK_BYTES, DamagedDelivery, Delivery
from catalogue.reports.problems import CommonError, CommonWarning, ErrorCode, Problem
from dsrhub.files.unpacking import GzipContent

CONTENT = b"dsp_id\ttitle\n" + b"a\tYesterday\n" * 20
EXTRA, NAME, COMMENT, HEADER_CHECK = 0x04, 0x08, 0x10, 0x02


def member(
    content: bytes, *, extra: bytes = b"", name: bytes = b"", comment: bytes = b"", check: bool = False
) -> bytes:
    """A member of a gzip file by RFC 1952, with all the fields that its header may have."""
    flags = EXTRA * bool(extra) | NAME * bool(name) | COMMENT * bool(comment) | HEADER_CHECK * check
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0" + b"\0\xff"
    header += len(extra).to_bytes(2, "little") + extra if extra else b""
    header += name + b"\0" if name else b""
    header += comment + b"\0" if comment else b""
    header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") if check else b""
    packed = zlib.compress(content, wbits=-15)
    return header + packed + zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")


FULL_MEMBER = member(CONTENT, extra=b"ab\x02\x00xy", name=b"report.tsv", comment=b"by hand", check=True)


def content_of(path: Path, data: bytes, name: str = "report.tsv.gz") -> bytes:
    path.write_bytes(data)
    return b"".join(Delivery(path, name).chunks())


def problem_of(path: Path, data: bytes, name: str = "report.tsv.gz") -> Problem:
    with pytest.raises(DamagedDelivery) as caught:
        content_of(path, data, name)
    return caught.value.problem


def damage_of(path: Path, data: bytes) -> ErrorCode:
    return problem_of(path, data).code


def warnings_of(path: Path, data: bytes) -> list[Problem]:
    path.write_bytes(data)
    delivery = Delivery(path, "report.tsv.gz")
    for _ in delivery.chunks():
        pass
    return delivery.warnings


@pytest.fixture
def path(tmp_path):
    """The path of an upload, whose own name has no meaning."""
    return tmp_path / "upload"


@pytest.fixture(scope="module")
def large_content():
    """More than three chunks that cannot be compressed, the same in every run."""
    return hashlib.shake_256(b"").digest(3 * CHUNK_BYTES + 5)


# --- Content ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [CONTENT, b"a", b""])
def test_the_name_decides_whether_a_file_is_unpacked(path, content):
    assert content_of(path, gzip.compress(content), "report.tsv.gz") == content
    assert content_of(path, content, "report.tsv") == content


def test_a_large_file_comes_in_chunks(path, large_content):
    for name, data in (("report.tsv", large_content), ("report.tsv.gz", gzip.compress(large_content, 1))):
        path.write_bytes(data)
        chunks = list(Delivery(path, name).chunks())

        assert b"".join(chunks) == large_content
        assert len(chunks) >= 4
        assert max(map(len, chunks)) <= 1_048_576


def test_the_content_of_several_members_is_joined(path):
    assert content_of(path, member(b"one\n") + FULL_MEMBER + member(b"") + member(b"two\n")) == (
        b"one\n" + CONTENT + b"two\n"
    )


# A tape drive and a file system fill up with zeros; editors and transfers add line ends.
@pytest.mark.parametrize("padding", [b"\0", b"\0" * 100_000, b"\n", b"\r\n", b" \t\r\n\0", b"\n" * 70_000])
def test_zeros_and_white_space_behind_the_end_are_a_warning(path, padding):
    warning = Problem(CommonWarning.GZIP_PADDING, value=f"{len(padding)} bytes")

    assert content_of(path, FULL_MEMBER + padding) == CONTENT
    assert warnings_of(path, FULL_MEMBER + padding) == [warning]
    assert content_of(path, member(b"one\n") + padding + member(b"two\n")) == b"one\ntwo\n"
    assert warnings_of(path, member(b"one\n") + padding + member(b"two\n")) == [warning]


def test_members_alone_are_no_warning(path):
    assert warnings_of(path, FULL_MEMBER) == warnings_of(path, FULL_MEMBER + member(b"") + member(b"one")) == []


class Trickle(io.BytesIO):
    """Returns a few bytes at a time."""

    def __init__(self, data, step):
        super().__init__(data)
        self.step = step

    def read(self, size=-1):
        return super().read(min(size, self.step))


def test_members_are_found_wherever_the_input_is_cut():
    """The header of a member may lie in two inputs."""
    data = FULL_MEMBER + member(b"") + b"\0\n" + member(b"one", extra=b"x" * 300, name=b"n" * 300) + b"\n"

    for step in (1, 2, 3, 10, 17, len(FULL_MEMBER) + 1):
        content = GzipContent(Trickle(data, step))
        assert b"".join(iter(partial(content.read, 50), b"")) == CONTENT + b"one"
        assert content.padding == 3


def test_very_many_small_members_are_joined(path):
    contents = [hashlib.shake_256(str(n).encode()).digest(n % 50) for n in range(5000)]

    assert content_of(path, b"".join(map(gzip.compress, contents))) == b"".join(contents)


def test_the_hash_is_that_of_the_unpacked_content(path, large_content):
    path.write_bytes(gzip.compress(large_content, 1))
    delivery = Delivery(path, "report.tsv.gz")

    for _ in range(2):  # reading again does not change the hash
        for _ in delivery.chunks():
            pass
        assert delivery.sha256 == hashlib.sha256(large_content).hexdigest()


def test_the_content_once_more_changes_nothing(path):
    path.write_bytes(FULL_MEMBER + b"\0\0")
    delivery = Delivery(path, "report.tsv.gz")
    assert b"".join(delivery.chunks()) == CONTENT
    found = delivery.sha256, delivery.warnings

    assert b"".join(delivery.content_again()) == CONTENT
    next(iter(delivery.content_again()))

    assert (delivery.sha256, delivery.warnings) == found
    assert found == (hashlib.sha256(CONTENT).hexdigest(), [Problem(CommonWarning.GZIP_PADDING, value="2 bytes")])


def test_the_hash_does_not_depend_on_the_packing(path):
    hashes = set()
    for name, data in (
        ("report.tsv", b"abc"),
        ("report.tsv.gz", gzip.compress(b"abc")),
        ("report.tsv.gz", member(b"a", name=b"x") + member(b"bc")),
    ):
        path.write_bytes(data)
        delivery = Delivery(path, name)
        list(delivery.chunks())
        hashes.add(delivery.sha256)

    # The example of FIPS 180-2.
    assert hashes == {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}


@pytest.mark.parametrize(
    ("name", "is_packed", "unpacked"),
    [("a.tsv.GZ", True, "a.tsv"), ("a.TSV.Gz", True, "a.TSV"), ("a.TSV", False, "a.TSV"), ("a.gz.gz", True, "a.gz")],
)
def test_the_case_of_the_ending_does_not_matter(tmp_path, name, is_packed, unpacked):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"abc") if is_packed else b"abc")
    delivery = Delivery(path, name)
    assert (delivery.is_packed, delivery.unpacked_name, b"".join(delivery.chunks())) == (is_packed, unpacked, b"abc")


@pytest.mark.parametrize("name", ["report.tsv", "report.tsv.gz"])
def test_progress_adds_up_to_the_delivered_size(path, name):
    # More than the 8 MiB that the gzip reader reads at once.
    content = hashlib.shake_256(b"").digest(10 * CHUNK_BYTES)
    path.write_bytes(gzip.compress(content, 0) if name.endswith(".gz") else content)
    delivery, steps = Delivery(path, name), []

    def record(step):
        steps.append(step)
        hashlib.sha256(content).digest()  # takes a while, during which unpacking continues

    assert sum(len(chunk) for chunk in delivery.chunks(record)) == len(content)
    assert sum(steps) == delivery.packed_bytes == path.stat().st_size
    assert min(steps) >= 0
    assert len(steps) > 2


@pytest.mark.parametrize(("name", "data"), [("report.tsv", b""), ("report.tsv.gz", member(b"") + b"\0" * 10)])
def test_progress_adds_up_without_any_content_too(path, name, data):
    path.write_bytes(data)
    steps = []

    assert list(Delivery(path, name).chunks(steps.append)) == []
    assert sum(steps) == len(data)


def test_a_reader_that_stops_early_leaves_no_thread_behind(path, large_content):
    path.write_bytes(gzip.compress(large_content, 1))
    before = set(threading.enumerate())

    chunks = Delivery(path, "report.tsv.gz").chunks()
    next(chunks)
    chunks.close()

    assert set(threading.enumerate()) <= before


# --- Damage ----------------------------------------------------------------------------------------------------


def test_a_file_that_is_cut_off_anywhere_is_damaged(path):
    for length in range(len(FULL_MEMBER)):
        assert damage_of(path, FULL_MEMBER[:length]) == CommonError.GZIP_TRUNCATED

    assert content_of(path, FULL_MEMBER) == CONTENT


def test_several_members_that_are_cut_off_are_damaged_unless_between_members(path):
    first, second = member(b"one\n"), member(b"two\n", name=b"second")

    for length in range(1, len(second)):
        assert damage_of(path, first + second[:length]) == CommonError.GZIP_TRUNCATED
        assert damage_of(path, first + b"\0\0" + second[:length]) == CommonError.GZIP_TRUNCATED
    assert content_of(path, first) == b"one\n"
    assert content_of(path, first + second) == b"one\ntwo\n"


def test_damage_at_the_very_end_is_found(path, large_content):
    packed = gzip.compress(large_content, 1)
    path.write_bytes(packed[:-1])
    received = []

    with pytest.raises(DamagedDelivery) as caught:
        received.extend(Delivery(path, "report.tsv.gz").chunks())

    assert caught.value.problem.code == CommonError.GZIP_TRUNCATED
    assert large_content.startswith(b"".join(received))


def test_an_empty_file_is_a_truncated_gzip_file(path):
    assert damage_of(path, b"") == CommonError.GZIP_TRUNCATED


@pytest.mark.parametrize(
    "data",
    [
        FULL_MEMBER[:3] + b"\x80" + FULL_MEMBER[4:],  # a reserved flag
        FULL_MEMBER + FULL_MEMBER[:2] + b"\x07" + FULL_MEMBER[3:],
        FULL_MEMBER[:2] + b"\x07" + FULL_MEMBER[3:],  # an unknown compression method
        FULL_MEMBER[:13] + b"!" + FULL_MEMBER[14:],  # a wrong checksum of the header
        FULL_MEMBER[:-8] + b"\0\0\0\0" + FULL_MEMBER[-4:],  # a wrong checksum of the content
        FULL_MEMBER[:-4] + b"\0\0\0\0",  # a wrong length
    ],
)
def test_wrong_methods_and_checksums_are_damage(path, data):
    assert damage_of(path, data) == CommonError.GZIP_CORRUPT


@pytest.mark.parametrize("start", [b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08\0\0", b"\0\0\x1f", b"\n\x1f\x8b"])
def test_the_start_of_another_member_is_a_truncated_file(path, start):
    assert damage_of(path, FULL_MEMBER + start) == CommonError.GZIP_TRUNCATED


@pytest.mark.parametrize(
    ("rubbish", "shown"),
    [
        (b"x", "'x'"),
        (CONTENT, r"'dsp_id\ttitle\na\tYeste'"),
        (b"\0\0" + CONTENT, r"'dsp_id\ttitle\na\tYeste'"),
        (b"\n<html>", "'<html>'"),
        (b"\x1a", r"'\x1a'"),
        (b"\xff" * 100_000, "'" + r"\xff" * 20 + "'"),
        (b"\0" * 100_000 + b"x", "'x'"),
    ],
)
def test_other_data_behind_the_end_is_refused(path, rubbish, shown):
    problem = problem_of(path, FULL_MEMBER + rubbish)

    assert problem == Problem(
        CommonError.GZIP_TRAILING_DATA, value=f"The content is complete, but other data follows: {shown}"
    )


@settings(max_examples=300)
@given(st.integers(0, len(FULL_MEMBER) - 1), st.integers(1, 255))
@example(3, 0x08)
def test_a_changed_byte_never_changes_the_content(tmp_path_factory, position, change):
    path = tmp_path_factory.getbasetemp() / "changed.gz"
    data = bytearray(FULL_MEMBER)
    data[position] ^= change

    try:
        content = content_of(path, bytes(data))
    except DamagedDelivery:
        content = None

    assert content in (CONTENT, None)


# --- Kinds of files --------------------------------------------------------------------------------------------


def text_alone(value: object) -> str:
    """The id of a parameter: archives have the time in them."""
    return value if isinstance(value, str) else ""


def packed_in_zip(name: str, content: bytes = CONTENT) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


def workbook() -> bytes:
    file = io.BytesIO()
    Workbook().save(file)
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("report.tsv"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (CONTENT.decode().encode("utf-16"), "This is UTF-16 text (“Unicode text” of Excel). Save it as UTF-8 text."),
        ("\ufeff".encode("utf-16-be") + CONTENT.decode().encode("utf-16-be"), "UTF-16"),
        (CONTENT.decode().encode("utf-16-le"), "UTF-16"),
        (CONTENT.decode().encode("utf-16-be"), "UTF-16"),
        (CONTENT.decode().encode("utf-32"), "UTF-32"),
        (workbook(), "This is an Excel workbook (XLSX). Export the sheet as UTF-8 text."),
        (packed_in_zip("report.tsv"), "This is a zip archive. Unpack it, and deliver the file inside"),
        (packed_in_zip("docProps/app.xml"), "Excel"),
        (packed_in_zip("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), "an OpenDocument sheet"),
        (b"PK\x05\x06" + b"\0" * 18, "zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "Excel workbook (XLS)"),
        (bz2.compress(CONTENT), "bzip2"),
        (lzma.compress(CONTENT), "xz"),
        (tar(), "tar archive"),
        (b"\x1f\x9d\x90" + b"\0" * 100, "the program compress"),
        (b"\x28\xb5\x2f\xfd\0", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "7-Zip"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xef\xbb\xbf\n <html lang='en'>", "web page"),
        (b'<?xml version="1.0"?><NewReleaseMessage/>', "XML"),
        (b'{"detail": "Not found."}', "JSON"),
        (b'[\n  {"dsp_id": 1}]', "JSON"),
    ],
    ids=text_alone,
)
def test_a_file_of_another_kind_is_one_error_that_names_it(path, data, kind):
    names = {"report.tsv": data, "report.tsv.gz": gzip.compress(data), "renamed.tsv.gz": data}
    for name, delivered in names.items():
        problem = problem_of(path, delivered, name)

        assert problem.code == CommonError.WRONG_FILE_KIND
        assert kind in problem.value
        assert len(problem.value) <= 200


def test_lines_that_end_with_carriage_returns_alone_are_one_error(path):
    data = CONTENT.replace(b"\n", b"\r")
    for name, delivered in (("report.tsv", data), ("report.tsv.gz", gzip.compress(data))):
        problem = problem_of(path, delivered, name)

        assert problem.code == CommonError.WRONG_FILE_KIND
        assert "The lines end with a carriage return alone" in problem.value


@pytest.mark.parametrize(
    ("name", "data", "advice"),
    [
        ("report.tsv", gzip.compress(CONTENT), "This is a gzip file. Add .gz to its name."),
        ("report.tsv.gz", gzip.compress(gzip.compress(CONTENT)), "a gzip file inside a gzip file. Unpack it once."),
        ("report.tsv.gz", CONTENT, "The name ends in .gz, but this is no gzip file. Remove .gz from the name"),
        ("report.tsv.gz", b"\0" * 100, "no gzip file"),
        ("report.tsv.gz", b"\0" + FULL_MEMBER, "no gzip file"),
        ("report.tsv.gz", zlib.compress(CONTENT), "no gzip file"),
    ],
    ids=text_alone,
)
def test_gzip_goes_with_the_name(path, name, data, advice):
    problem = problem_of(path, data, name)

    assert problem.code == CommonError.WRONG_FILE_KIND
    assert advice in problem.value


@pytest.mark.parametrize(
    "text",
    ["", "a", "\ufeffa\tb\n", "PK\tb\n", "音楽\n", "BZh\n", "{a}\n", "\0\n", "a\0b\0\n", "a\r\n", "<b>\n", "PAR1\n"],
)
def test_text_is_not_taken_for_another_kind(path, text):
    assert content_of(path, text.encode(), "report.tsv") == text.encode()
    assert content_of(path, gzip.compress(text.encode())) == text.encode()


def test_a_missing_file_is_not_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        Delivery(tmp_path / "missing", "report.tsv.gz")


# --- The name inside gzip --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (member(b"", name=b"report.tsv"), "report.tsv"),
        (member(b"", name=b"report.tsv", extra=b"ab\x02\x00xy"), "report.tsv"),
        (member(b"", name=b"report.tsv", extra=b"\0" * 65535, comment=b"no name", check=True), "report.tsv"),
        (member(b"", name=b"report.tsv") + member(b"", name=b"other.tsv"), "report.tsv"),
        (member(b"", name="Música.tsv".encode("latin-1")), "Música.tsv"),  # as RFC 1952 says
        (member(b"", name="Música.tsv".encode()), "Música.tsv"),  # as the gzip program does
        (member(b"", name="音楽.tsv".encode()), "音楽.tsv"),
        (member(b"", name=b"a\x1b[31m\n.tsv"), r"a\x1b[31m\n.tsv"),
        (member(b"", name=b"a" * 255), "a" * 255),
        (member(b"", name=b"a" * 256), "a" * 255),
        (member(b"", name=b"\x9b" * 256), r"\x9b" * 63 + r"\x9"),
        (member(b"", name=b"a" * 60_000), "a" * 255),
        (member(b"", name=b"a" * 100_000), "a" * 255),
        (member(b"", name=b"a" * 3_000_000), None),
        (member(b""), None),
        (member(b"", extra=b"report.tsv\0", comment=b"report.tsv"), None),
        (member(b"", name=b"report.tsv")[:15], None),
        (member(b"", name=b"report.tsv")[:10], None),
        (member(b"", name=b"report.tsv")[:4], None),
        (member(b"", name=b"x", extra=b"\0" * 65535)[:11], None),
        (b"\x1f\x8b\x08\x08\0\0\0\0\0\xff\0", None),
        (b"", None),
        (CONTENT, None),
    ],
)
def test_the_name_that_gzip_stored(path, data, name):
    path.write_bytes(data)

    assert Delivery(path, "report.tsv.gz").gzip_name == name


@pytest.mark.parametrize("name", ["report.tsv", "Música_ES.tsv", "音楽.tsv"])
def test_the_name_that_pythons_gzip_stores(tmp_path, name):
    path = tmp_path / (name + ".gz")
    with gzip.open(path, "wb") as file:
        file.write(CONTENT)

    # It stores no name that is not Latin-1.
    assert Delivery(path, path.name).gzip_name == (None if name == "音楽.tsv" else name)


def test_only_a_file_named_as_packed_has_a_stored_name(path):
    path.write_bytes(member(CONTENT, name=b"report.tsv"))

    assert Delivery(path, "report.tsv.gz").gzip_name == "report.tsv"
    assert Delivery(path, "report.tsv").gzip_name is None


# --- Size limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["report.tsv", "report.tsv.gz"])
def test_content_above_the_limit_is_refused(path, name):
    content = b"a" * 1000
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert b"".join(Delivery(path, name, 1000).chunks()) == content
    with pytest.raises(DamagedDelivery) as caught:
        list(Delivery(path, name, 999).chunks())
    assert caught.value.problem.code == CommonError.UNPACKED_TOO_LARGE
    assert caught.value.problem.value == "more than 999 bytes"


def test_a_gzip_bomb_is_unpacked_only_up_to_the_limit(path):
    path.write_bytes(gzip.compress(bytes(200 * CHUNK_BYTES)))
    delivery, taken = Delivery(path, "report.tsv.gz", 3 * CHUNK_BYTES), []
    with pytest.raises(DamagedDelivery):
        taken.extend(map(len, delivery.chunks()))
    assert sum(taken) == 3 * CHUNK_BYTES
