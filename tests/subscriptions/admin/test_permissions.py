"""The permissions for each URL of the admin of subscriptions and usage."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import URLPattern, reverse

from subscriptions.models import DataUsageRecord, VoiceUsageRecord
from tests import recipes as user_recipes
from tests.subscriptions import recipes
from tests.subscriptions.helpers import DATA, VOICE, add, event, subscribe

pytestmark = pytest.mark.django_db


def edited(model):
    seen = {f"view_{model}", f"change_{model}"}
    return {"changelist": seen, "change": seen, "history": seen, "add": {f"add_{model}"}}


def records(model):
    importing, exporting = {f"import_{model}"}, {f"export_{model}"}
    buttons = {"import": importing, "process_import": importing, "export": exporting}
    return edited(model) | {"delete": {f"delete_{model}"}} | buttons


# The permissions for each URL: one of them is enough. A URL without any is closed to everyone.
SEE_SUBSCRIPTIONS = {"view_subscription", "change_subscription"}
SEE_DAYS = {"view_sealedday", "change_sealedday"}
SEE_CROSSINGS = {"view_limitcrossing"}
NEEDS = {
    "subscription": edited("subscription")
    | {"delete": set(), "export": {"export_subscription"}, "usage": SEE_SUBSCRIPTIONS, "over_limit": SEE_SUBSCRIPTIONS},
    "datausagerecord": records("datausagerecord"),
    "voiceusagerecord": records("voiceusagerecord"),
    "pricelimit": edited("pricelimit") | {"delete": {"delete_pricelimit"}},
    "limitcrossing": {"changelist": SEE_CROSSINGS, "change": SEE_CROSSINGS, "history": SEE_CROSSINGS}
    | {"add": set(), "delete": set()},
    "sealedday": {"changelist": SEE_DAYS, "change": SEE_DAYS, "history": SEE_DAYS, "add": set(), "delete": set()},
}
CASES = [(model, view, needed) for model, views in NEEDS.items() for view, needed in views.items()]
# All permissions of the application.
ALL = {permission for *_, needed in CASES for permission in needed} | {"delete_subscription", "delete_sealedday"}


@pytest.fixture
def bob(client):
    """A staff user without permissions, signed in."""
    bob = user_recipes.staff.make()
    client.force_login(bob)
    return bob


@pytest.fixture(scope="module", autouse=True)
def address(module_db):
    """A function that returns the URL of a view, with the id of an existing object if the view needs one."""
    someone = subscribe()
    add(event(someone), usage_type=DATA)
    add(event(someone), usage_type=VOICE)
    objects = {
        "subscription": someone,
        "datausagerecord": DataUsageRecord.objects.get(),
        "voiceusagerecord": VoiceUsageRecord.objects.get(),
        "sealedday": recipes.sealed_day.make(),
        "pricelimit": recipes.price_limit.make(),
        "limitcrossing": recipes.limit_crossing.make(subscription=someone),
    }

    def address(model, view):
        arguments = [objects[model].pk] if view in ("change", "delete", "history") else []
        return reverse(f"admin:subscriptions_{model}_{view}", args=arguments)

    return address


def give(user, *codenames):
    permissions = Permission.objects.filter(codename__in=codenames, content_type__app_label="subscriptions")
    assert len(permissions) == len(codenames)
    user.user_permissions.set(permissions)


def is_open_to(codenames, client, user, address, method):
    """Whether a URL does not answer 403 to a user with these permissions."""
    # With the permission, the answer may still be a redirect or an error of the method or form.
    give(user, *codenames)
    return getattr(client, method)(address).status_code != 403


def test_every_address_has_a_row_in_the_matrix():
    found = set()
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "subscriptions":
            prefix = f"subscriptions_{model._meta.model_name}_"
            names = [pattern.name for pattern in model_admin.urls if isinstance(pattern, URLPattern) and pattern.name]
            found |= {(model._meta.model_name, name.removeprefix(prefix)) for name in names}
    assert found == {(model, view) for model, view, _ in CASES}


@pytest.mark.parametrize(("model", "view", "needed"), CASES, ids=[f"{model}-{view}" for model, view, _ in CASES])
def test_each_address_is_open_to_its_permission_and_to_no_other(client, bob, address, model, view, needed):
    methods = ["get", "post"] if view == "process_import" else ["get"]
    for method in methods:
        asked = (client, bob, address(model, view), method)
        assert not is_open_to(ALL - needed, *asked)
        assert all(is_open_to({permission}, *asked) for permission in needed)


@pytest.mark.parametrize(("model", "view"), [case[:2] for case in CASES])
def test_anonymous_users_are_sent_to_the_login(client, address, model, view):
    url = address(model, view)
    for response in (client.get(url), client.post(url)):
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/?next=")


@pytest.mark.usefixtures("bob")
@pytest.mark.parametrize(("model", "view"), [case[:2] for case in CASES])
def test_staff_without_any_permission_may_post_nowhere(client, address, model, view):
    assert client.post(address(model, view), {"post": "yes"}).status_code == 403
    assert (DataUsageRecord.objects.count(), VoiceUsageRecord.objects.count()) == (1, 1)


@pytest.mark.parametrize("buttons", [set(), {"import"}, {"export"}, {"delete"}, {"import", "export", "delete"}])
@pytest.mark.parametrize("model", ["datausagerecord", "voiceusagerecord"])
def test_buttons_are_shown_to_those_who_may_use_them(client, bob, address, model, buttons):
    give(bob, f"view_{model}", *(f"{button}_{model}" for button in buttons))
    page = client.get(address(model, "changelist")).content.decode()
    marks = {"import": 'class="import_link"', "export": 'class="export_link"', "delete": "delete_selected"}
    assert {button for button, mark in marks.items() if mark in page} == buttons
    assert ("export_selected" in page) == ("export" in buttons)
    assert ('class="deletelink"' in client.get(address(model, "change")).content.decode()) == ("delete" in buttons)


@pytest.mark.parametrize("may_export", [True, False])
def test_subscriptions_are_exported_by_those_who_may(client, bob, address, may_export):
    give(bob, "view_subscription", *(["export_subscription"] if may_export else []))
    page = client.get(address("subscription", "changelist")).content.decode()
    assert ('class="export_link"' in page, "export_selected" in page) == (may_export, may_export)
