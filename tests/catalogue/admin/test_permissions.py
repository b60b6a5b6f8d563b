"""The permissions in the admin, tested for every address of the catalogue."""

from unittest.mock import patch

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse

from catalogue.dsrs.services import dsr_delete
from catalogue.models import DSR, Currency, EcbRate, SupersededDSR, Template, Territory
from tests.catalogue import recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line, staff_with

pytestmark = pytest.mark.django_db

# The permissions of each address of the catalogue. Any of them is enough; those that are joined by + are needed
# together. An address without any is closed to everyone.
# As everywhere in Django, the change permission allows viewing. Here it also allows replacing DSRs.
VIEW_DSR = {"view_dsr", "change_dsr"}
DSR_NEEDS = {
    "changelist": VIEW_DSR,
    "change": VIEW_DSR,
    "history": VIEW_DSR,
    "lines": VIEW_DSR,
    "breakdown": VIEW_DSR,
    "comparison": VIEW_DSR,
    "coverage": VIEW_DSR,
    "artists": VIEW_DSR,
    "identification": VIEW_DSR,
    "totals": VIEW_DSR,
    "folders": {"import_dsr"},
    "folder_retry": {"import_dsr"},
    "add": set(),
    "delete": {"delete_dsr"},
    "import": {"import_dsr"},
    "process_import": {"import_dsr"},
    "upload": {"import_dsr"},
    "upload_progress": {"import_dsr"},
    "upload_problems": {"import_dsr"},
    "export": {"export_dsr"},
    "file": {"export_dsr"},
}


def read_only(model, *also):
    seen = {f"view_{model}", *also}
    return {"changelist": seen, "change": seen, "history": seen, "add": set(), "delete": set()}


NEEDS = {
    "dsr": DSR_NEEDS,
    "importjob": {"changelist": {"import_dsr"}, "change": {"import_dsr"}, "history": {"import_dsr"}}
    | {"add": set(), "delete": set()},
    "resource": read_only("resource")
    | {"export": {"export_resource"}, "page": {"view_resource"}}
    | {"top": {"view_resource+view_dsr", "view_resource+change_dsr"}},
    "reportmessage": {"changelist": VIEW_DSR, "change": VIEW_DSR, "history": VIEW_DSR, "add": set()}
    | {"delete": {"delete_dsr"}, "file": {"export_dsr"}},
    "supersededdsr": {"changelist": VIEW_DSR, "change": VIEW_DSR, "history": VIEW_DSR, "add": set()}
    | {"delete": {"delete_dsr"}, "revert": {"change_dsr"}},
    "partyalias": {
        "changelist": {"view_partyalias", "change_partyalias"},
        "change": {"view_partyalias", "change_partyalias"},
        "history": {"view_partyalias", "change_partyalias"},
        "add": {"add_partyalias"},
        "delete": {"delete_partyalias"},
        "rename": {"view_partyalias+change_dsr", "change_partyalias+change_dsr"},
    },
    "template": {
        "changelist": {"view_template", "change_template"},
        "change": {"view_template", "change_template"},
        "history": {"view_template", "change_template"},
        "add": {"add_template"},
        "delete": {"delete_template"},
        "sample": {"add_template", "change_template"},
        "check": {"add_template", "change_template"},
        "from_job": {"add_template+import_dsr", "change_template+import_dsr"},
        "import": {"add_template"},
        "clone": {"add_template+view_template", "add_template+change_template"},
        "export": {"export_template"},
    },
    "reportproblem": read_only("reportproblem", "view_dsr"),
    "ratechange": read_only("ratechange", "view_dsr"),
    "rejecteddelivery": read_only("rejecteddelivery"),
    "territory": read_only("territory"),
    "currency": read_only("currency"),
    "ecbrate": read_only("ecbrate"),
    "operatorrate": {
        "changelist": {"view_operatorrate", "change_operatorrate"},
        "change": {"view_operatorrate", "change_operatorrate"},
        "history": {"view_operatorrate", "change_operatorrate"},
        "add": {"add_operatorrate"},
        "currencies": {"add_operatorrate"},
        "delete": {"delete_operatorrate"},
    },
}


def catalogue_views():
    """(model, view) of every named address of the catalogue in the admin."""
    found = []
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "catalogue":
            names = [pattern.name for pattern in model_admin.urls if isinstance(pattern, URLPattern) and pattern.name]
            prefix = f"catalogue_{model._meta.model_name}_"
            found += [(model._meta.model_name, name.removeprefix(prefix)) for name in names]
    return found


CASES = [(model, view, needed) for model, views in NEEDS.items() for view, needed in views.items()]
# All permissions that open an address, and some that do not.
ALL = {permission for *_, needed in CASES for permission in "+".join(needed).split("+") if permission}
ALL |= {"add_dsr", "change_dsr"}


@pytest.fixture(autouse=True)
def _uploads(tmp_path, settings):
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"


def deleted_dsr():
    """An earlier version."""
    dsr = recipes.dsr.make(offer="Other")
    dsr_delete(dsr_number=dsr.pk)
    return SupersededDSR.objects.get(pk=dsr.pk)


@pytest.fixture(scope="module", autouse=True)
def address(module_db, tmp_path_factory):
    """A function that returns the address of a view, with the id of an existing object if the view needs one."""
    dsr = import_report(tmp_path_factory.mktemp("reports"), NO_JANUARY, line("a", isrc="bad"))
    objects = {
        "dsr": dsr,
        "importjob": recipes.import_job.make(),
        "reportproblem": dsr.problems.get(),
        "ratechange": recipes.rate_change.make(dsr=dsr),
        "rejecteddelivery": recipes.rejected_delivery.make(),
        "reportmessage": recipes.dsr_of_message.make().message,
        "supersededdsr": deleted_dsr(),
        "partyalias": recipes.party_alias.make(),
        "operatorrate": recipes.operator_rate.make(),
        "territory": Territory.objects.first(),
        "currency": Currency.objects.first(),
        "ecbrate": EcbRate.objects.first(),
        "resource": recipes.resource.make(),
        "template": Template.objects.all()[0],
    }

    def address(model, view):
        arguments = {"upload": ["some"], "upload_progress": ["some"], "lines": [dsr.pk], "file": [dsr.pk]}
        arguments["totals"] = [dsr.pk]
        if model == "reportmessage":
            arguments["file"] = [objects[model].pk, 1]
        arguments["revert"] = [objects["supersededdsr"].pk]
        arguments["rename"] = [objects["partyalias"].pk]
        arguments["upload_problems"] = ["some", objects["importjob"].pk]
        if model == "template":
            arguments |= {view: [objects[model].pk] for view in ("clone", "export")}
            arguments["from_job"] = [objects["importjob"].pk]
        if view in ("change", "delete", "history"):
            arguments[view] = [objects[model].pk]
        return reverse(f"admin:catalogue_{model}_{view}", args=arguments.get(view, []))

    return address


def test_every_address_has_a_row_in_the_matrix():
    assert sorted(catalogue_views()) == sorted((model, view) for model, view, _ in CASES)


def is_let_in(client, address):
    # Only permitted users learn that the address needs a POST, that the object is missing, or where it redirects. A
    # view refuses others before its page is rendered, which takes most of the time.
    with patch.object(TemplateResponse, "rendered_content", ""):
        return client.get(address).status_code != 403


@pytest.mark.parametrize(("model", "view", "needed"), CASES, ids=[f"{model}-{view}" for model, view, _ in CASES])
def test_each_address_is_open_to_its_permissions_only(client, address, model, view, needed):
    url = address(model, view)
    user = staff_with()
    client.force_login(user)
    enough = [set(permissions.split("+")) for permissions in needed]

    def is_open_to(codenames):
        permissions = Permission.objects.filter(content_type__app_label="catalogue", codename__in=codenames)
        assert len(permissions) == len(codenames)
        user.user_permissions.set(permissions)
        return is_let_in(client, url)

    assert not is_open_to(ALL.difference(*enough))
    for together in enough:
        assert is_open_to(together)
        assert not any(is_open_to(together - {one}) for one in together)


def test_anonymous_users_are_redirected_to_the_sign_in(client, address):
    for model, view, _ in CASES:
        url = address(model, view)
        for response in (client.get(url), client.post(url)):
            assert response.status_code == 302, url
            assert response["Location"].startswith("/admin/login/?next="), url


def test_staff_without_permissions_cannot_post(client, address):
    client.force_login(staff_with())
    urls = [address(model, view) for model, view, _ in CASES]
    assert {url: client.post(url, {"upload": "some"}).status_code for url in urls} == dict.fromkeys(urls, 403)
    assert DSR.objects.count() == 2


@pytest.mark.parametrize(
    ("permissions", "buttons"),
    [
        (["view_dsr"], set()),
        (["view_dsr", "import_dsr"], {"import"}),
        (["view_dsr", "export_dsr"], {"export"}),
        (["view_dsr", "delete_dsr"], {"delete"}),
        (["view_dsr", "import_dsr", "export_dsr", "delete_dsr"], {"import", "export", "delete"}),
    ],
)
def test_buttons_are_shown_to_users_who_may_use_them(client, address, permissions, buttons):
    user = staff_with(*permissions)
    client.force_login(user)
    page = client.get(address("dsr", "changelist")).content.decode()
    detail = client.get(address("dsr", "change")).content.decode()
    on_list = {"import": 'class="import_link"', "export": 'class="export_link"', "delete": "delete_selected"}
    assert {button for button, mark in on_list.items() if mark in page} == buttons
    on_detail = {"export": "/admin/catalogue/dsr/export/", "delete": 'class="deletelink"'}
    assert {button for button, mark in on_detail.items() if mark in detail} == buttons - {"import"}
    assert ("export_selected" in page) == ("export" in buttons)
