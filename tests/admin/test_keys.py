"""The admin of keys, and the command."""

import io
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from dsrhub.models import ApiKey
from tests import recipes

pytestmark = pytest.mark.django_db

LIST = "/admin/dsrhub/apikey/"
FORM = {"name": "meter", "scopes": ["read_usage", "write_usage"], "days": "90"}


def staff_client(*codenames):
    user = recipes.staff.make(username="manager")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return user, client


def secret_in(page):
    found = re.findall(r">(dsrhub_[0-9a-f]{12}_[0-9a-f]{64})<", page.content.decode())
    assert len(found) == 1
    assert "no-store" in page["Cache-Control"]
    return found[0]


def answers(secret):
    return Client(headers={"Authorization": f"Bearer {secret}"}).get("/subscriptions/over-limit/?price_limit=1")


def test_a_created_key_is_shown_once_and_works(admin_client, settings):
    settings.DSRHUB_PRIVATE = True
    bob = recipes.user.make()
    secret = secret_in(admin_client.post(f"{LIST}add/", FORM | {"user": bob.pk}))
    assert answers(secret).status_code == 200
    key = ApiKey.objects.get()
    assert (key.user, key.created_by.username, key.scopes) == (bob, "admin", ["read_usage", "write_usage"])
    assert key.expires_at - key.created_at == timedelta(days=90)
    for path in ("", f"{key.pk}/change/", f"{key.pk}/history/", f"{key.pk}/delete/", f"{key.pk}/rotate/"):
        page = admin_client.get(LIST + path).content.decode()
        assert key.prefix in page
        assert [hidden for hidden in (secret, key.hash) if hidden in page] == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes"),
        ({"days": "0"}, "days"),
        ({"days": "4000"}, "days"),
        ({"days": "x"}, "days"),
    ],
)
def test_a_form_with_a_wrong_value_names_its_field(admin_client, values, field):
    form = FORM | {"user": recipes.user.make().pk} | values
    page = admin_client.post(f"{LIST}add/", form)
    assert list(page.context["adminform"].form.errors) == [field]
    assert not ApiKey.objects.exists()


def test_users_create_keys_for_themselves_only():
    manager, client = staff_client("add_apikey", "view_apikey")
    other = recipes.superuser.make()
    secret_in(client.post(f"{LIST}add/", FORM | {"user": other.pk}))
    assert ApiKey.objects.get().user == manager


def test_a_rotated_key_is_shown_once_and_both_work(admin_client):
    before = recipes.key.make()
    page = admin_client.post(f"{LIST}{before.pk}/rotate/", {"overlap_hours": "1"})
    secret = secret_in(page)
    assert f"The API key {before.prefix}… works until" in page.content.decode()
    assert [answers(one).status_code for one in (before.secret, secret)] == [200, 200]
    before.refresh_from_db()
    assert before.expires_at <= timezone.now() + timedelta(hours=1)
    again = admin_client.post(f"{LIST}{before.pk}/rotate/", {"overlap_hours": "1"}, follow=True)
    assert "Nothing has changed." in again.content.decode()
    assert ApiKey.objects.count() == 2


def test_a_wrong_overlap_changes_nothing(admin_client):
    key = recipes.key.make()
    page = admin_client.post(f"{LIST}{key.pk}/rotate/", {"overlap_hours": "721"})
    assert list(page.context["form"].errors) == ["overlap_hours"]
    assert ApiKey.objects.get().rotated_at is None


def test_users_rotate_only_their_own_keys():
    manager, client = staff_client("add_apikey", "view_apikey")
    own, other = recipes.key.make(user=manager), recipes.key.make()
    assert [client.get(f"{LIST}{key.pk}/rotate/").status_code for key in (own, other)] == [200, 403]
    assert client.post(f"{LIST}{other.pk}/rotate/", {"overlap_hours": "1"}).status_code == 403
    pages = [client.get(f"{LIST}{key.pk}/change/").content.decode() for key in (own, other)]
    assert ["/rotate/" in page for page in pages] == [True, False]


def test_a_key_is_revoked_by_its_page_and_by_the_action(admin_client):
    first, second = recipes.key.make(), recipes.key.make(user=recipes.superuser.make(username="eve"))
    assert admin_client.post(f"{LIST}{first.pk}/delete/", {"post": "yes"}).status_code == 302
    form = {"action": "delete_selected", "_selected_action": second.pk, "post": "yes"}
    assert admin_client.post(LIST, form).status_code == 302
    assert [answers(key.secret).status_code for key in (first, second)] == [401, 401]


def test_keys_of_users_with_more_rights_cannot_be_revoked():
    _manager, client = staff_client("delete_apikey", "view_apikey")
    key = recipes.key.make(user=recipes.superuser.make())
    assert client.post(f"{LIST}{key.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_key_cannot_be_changed(admin_client):
    key = recipes.key.make()
    path = f"{LIST}{key.pk}/change/"
    assert admin_client.post(path, {"name": "other", "scopes": ["admin"]}).status_code == 403


def test_the_list_has_the_same_queries_for_1_key_and_for_20(admin_client, django_assert_num_queries):
    bob = recipes.user.make()
    recipes.key.make(user=bob)
    with django_assert_num_queries(5):
        admin_client.get(LIST)
    for _ in range(19):
        recipes.key.make(user=bob)
    with django_assert_num_queries(5):
        admin_client.get(LIST)


# --- The command -----------------------------------------------------------------------------------------------


def run(*arguments):
    output = io.StringIO()
    call_command("api_keys", *arguments, stdout=output)
    return output.getvalue().strip()


def test_the_command_creates_lists_rotates_and_revokes():
    recipes.user.make()
    created = run("create", "bob", "nightly meter", "--scope", "read_usage", "--scope", "write_usage", "--days", "7")
    assert answers(created).status_code == 200
    key = ApiKey.objects.get()
    assert key.expires_at - key.created_at == timedelta(days=7)
    facts = run("list", "--user", "bob").split("\t")
    assert facts[:4] == [key.prefix, "nightly meter", "bob", "read_usage,write_usage"]
    assert re.fullmatch(r"used \d{4}-\d\d-\d\d \d\d:\d\d", facts[5])
    rotated = run("rotate", key.prefix, "--overlap-hours", "0")
    assert [answers(secret).status_code for secret in (created, rotated)] == [401, 200]
    run("revoke", rotated[:19])
    assert answers(rotated).status_code == 401
    assert rotated[20:] not in run("list")


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "eve", "meter", "--scope", "read_usage"),
        ("create", "bob", "meter", "--scope", "read_usage", "--days", "0"),
        ("create", "bob", "meter", "--scope", "all"),
        ("create", "bob", "meter"),
        ("list", "--user", "eve"),
        ("rotate", "dsrhub_0123456789ab"),
        ("revoke", "dsrhub_0123456789ab"),
    ],
)
def test_the_command_refuses_wrong_arguments(arguments):
    recipes.user.make()
    with pytest.raises(CommandError):
        run(*arguments)
    assert not ApiKey.objects.exists()
