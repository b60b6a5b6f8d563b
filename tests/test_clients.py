"""Clients of a running server: a client generated from the OpenAPI document, and the examples of the README."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests import recipes
from tests.catalogue.helpers import ES_JANUARY, NO_JANUARY, import_report, line, write_report
from tests.processes import manage, serving
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(tmp_path):
    """A server with one DSR, in which one of two recordings has more than half of the revenue."""
    import_report(tmp_path, ES_JANUARY, line("a", usages="3", revenue="0.75"), line("b", revenue="0.25"))
    recipes.superuser.make(username="admin")
    with serving() as server:
        yield server


# --- The generated client --------------------------------------------------------------------------------------

PROGRAM = """
import sys
from io import BytesIO

from client import AuthenticatedClient, Client
from client.api.dsrs import dsrs_create, dsrs_delete, dsrs_list
from client.api.resources import resources_percentile
from client.api.session import token_create
from client.models import AuthTokenRequest, UploadParametersRequest
from client.types import File

url, name = sys.argv[1:]
anybody = Client(base_url=url)
print([(resource.dsp_id, resource.revenue, resource.usages) for resource in
       resources_percentile.sync(50, client=anybody, territory="ES")])
token = token_create.sync(client=anybody, body=AuthTokenRequest("admin", "lovelace")).token
admin = AuthenticatedClient(base_url=url, token=token, prefix="Token")
file = File(BytesIO(open(name, "rb").read()), name.rpartition("/")[2], "text/tab-separated-values")
report = dsrs_create.sync(client=admin, body=UploadParametersRequest(file=file))
print(report.outcome, report.dsr.path)
print([dsr.path for dsr in dsrs_list.sync(client=anybody)])
print(dsrs_delete.sync_detailed(report.dsr.id, client=anybody).status_code.value)
print(dsrs_delete.sync_detailed(report.dsr.id, client=admin).status_code.value)
"""


def test_a_generated_client_queries_signs_in_uploads_and_deletes(server, tmp_path):
    document, client = tmp_path / "openapi.yaml", tmp_path / "client"
    manage("spectacular", "--file", str(document))
    generate = ["openapi-python-client", "generate", "--path", document, "--output-path", client, "--meta", "none"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    generated = subprocess.run(
        generate, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=2 * PATIENCE, check=True
    )
    assert "Warning" not in generated.stdout + generated.stderr
    report = write_report(tmp_path, NO_JANUARY, line("a", revenue="10"))
    program = [sys.executable, "-c", PROGRAM, server.url, str(report)]
    process = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.stderr == ""
    assert process.stdout.splitlines() == [
        "[('a', 0.75, 3)]",
        f"loaded {NO_JANUARY}",
        f"['{ES_JANUARY}', '{NO_JANUARY}']",
        "401",
        "204",
    ]


# --- The README's examples -------------------------------------------------------------------------------------

EXAMPLES = re.findall(r"<!-- example -->\n```(\w+)\n(.+?)```", (settings.BASE_DIR / "README.md").read_text(), re.DOTALL)
RUN = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "--eval"],
}


def output_of(language, text, server, folder):
    """The output of an example, with this server's address, password and file instead of the README's."""
    program = RUN[language]
    if shutil.which(program[0]) is None:
        pytest.skip(f"there is no {program[0]} on the PATH")
    for theirs, ours in {
        "http://localhost:8000": server.url,
        "password=...": "password=lovelace",
        "path/to/report.tsv.gz": str(write_report(folder, f"{NO_JANUARY}.gz", line("a", revenue="10"))),
    }.items():
        text = text.replace(theirs, ours)
    process = subprocess.run([*program, text], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_readme_has_an_example_for_each_client():
    assert [language for language, _ in EXAMPLES] == ["sh", "python", "js", "sh"]


@pytest.mark.parametrize("language", ["sh", "python", "js"])
def test_the_example_of_a_query_works(server, tmp_path, language):
    text = next(text for other, text in EXAMPLES if other == language)
    output = output_of(language, text, server, tmp_path)
    if language == "sh":
        (resource,) = json.loads(output)
        assert (resource["dsp_id"], resource["revenue"]) == ("a", 0.75)
    else:
        assert output == "a 0.75\n"


def test_the_example_of_an_upload_works(server, tmp_path):
    language, text = EXAMPLES[-1]
    assert json.loads(output_of(language, text, server, tmp_path))["outcome"] == "loaded"
