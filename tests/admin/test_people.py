"""A right to manage users, groups or tokens never gives more rights than one's own."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from dsrhub.models import ApiToken
from tests import recipes

pytestmark = pytest.mark.django_db

MANAGING = [f"{verb}_{model}" for verb in ("add", "change", "delete", "view") for model in ("user", "group")]
TOKENS = ["add_apitoken", "delete_apitoken", "view_apitoken"]
# A right that the manager has, and one that the manager lacks.
OWN, OTHER = "view_dsr", "delete_dsr"


def permissions(*codenames):
    return list(Permission.objects.filter(codename__in=codenames))


@pytest.fixture
def manager():
    user = recipes.staff.make(username="manager")
    user.user_permissions.set(permissions(*MANAGING, *TOKENS, OWN))
    return user


@pytest.fixture
def client(manager):
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def bob():
    return recipes.user.make()


def strong(kind):
    """A user with a right that the manager lacks."""
    if kind == "superuser":
        return recipes.superuser.make()
    if kind == "inactive superuser":
        return recipes.superuser.make(is_active=False)
    user = recipes.user.make(is_active=kind != "inactive")
    if kind == "by group":
        group = recipes.group.make()
        group.permissions.set(permissions(OTHER))
        user.groups.add(group)
    else:
        user.user_permissions.set(permissions(OTHER, OWN))
    return user


STRONG = ["superuser", "inactive superuser", "by permission", "by group", "inactive"]


def form_of(user, **changed):
    """The fields of the page of a user, hostile ones included."""
    fields = {
        "username": user.username,
        "is_active": "on",
        "date_joined_0": "2020-01-01",
        "date_joined_1": "00:00:00",
        "initial-date_joined_0": "2020-01-01",
        "initial-date_joined_1": "00:00:00",
    }
    return fields | changed


def state(user):
    user = User.objects.get(pk=user.pk)
    rights = sorted(user.user_permissions.values_list("codename", flat=True))
    return (user.username, user.email, user.password, user.is_active, user.is_superuser, rights, user.groups.count())


def change_path(user):
    return f"/admin/auth/user/{user.pk}/change/"


# --- Users -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["bob", "manager"])
def test_nobody_makes_a_superuser_without_being_one(client, request, target):
    user = request.getfixturevalue(target)
    assert client.post(change_path(user), form_of(user, is_superuser="on", email="a@b.example")).status_code == 302
    user.refresh_from_db()
    assert (user.is_superuser, user.email) == (False, "a@b.example")
    assert 'name="is_superuser"' not in client.get(change_path(user)).content.decode()


def test_a_new_user_has_no_rights_whatever_is_sent(client):
    form = {"username": "eve", "usable_password": "true", "password1": "byron-1815", "password2": "byron-1815"}
    hostile = {"is_superuser": "on", "is_staff": "on", "user_permissions": permissions(OTHER)[0].pk}
    assert client.post("/admin/auth/user/add/", form | hostile).status_code == 302
    eve = User.objects.get(username="eve")
    assert (eve.is_superuser, eve.is_staff, eve.user_permissions.count()) == (False, False, 0)


@pytest.mark.parametrize("target", ["bob", "manager"])
def test_permissions_that_one_lacks_cannot_be_given(client, request, target):
    user = request.getfixturevalue(target)
    before = state(user)
    for codename in (OTHER, "change_operatorrate"):
        pks = [permission.pk for permission in permissions(OWN, codename)]
        assert client.post(change_path(user), form_of(user, user_permissions=pks)).status_code == 200
    assert state(user) == before


def test_own_permissions_and_staff_status_can_be_given(client, bob):
    weak = recipes.group.make()
    weak.permissions.set(permissions(OWN))
    pk = permissions(OWN)[0].pk
    form = form_of(bob, user_permissions=[pk], groups=[weak.pk], is_staff="on")
    assert client.post(change_path(bob), form).status_code == 302
    bob.refresh_from_db()
    assert (bob.is_staff, bob.user_permissions.get().codename, bob.groups.get()) == (True, OWN, weak)


@pytest.mark.parametrize("target", ["bob", "manager"])
def test_a_group_with_more_rights_cannot_be_given(client, request, target):
    user = request.getfixturevalue(target)
    group = recipes.group.make()
    group.permissions.set(permissions(OWN, OTHER))
    assert client.post(change_path(user), form_of(user, groups=[group.pk])).status_code == 200
    assert user.groups.count() == 0
    assert "editors" not in client.get(change_path(user)).content.decode()


@pytest.mark.parametrize("kind", STRONG)
def test_a_user_with_more_rights_cannot_be_changed_or_deleted(client, kind):
    user = strong(kind)
    before = state(user)
    attacks = [
        (change_path(user), form_of(user, username="eve", email="eve@b.example")),
        (
            f"/admin/auth/user/{user.pk}/password/",
            {"password1": "byron-1815", "password2": "byron-1815", "usable_password": "true"},
        ),
        (f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}),
    ]
    for path, form in attacks:
        assert client.post(path, form).status_code == 403, path
    action = {"action": "delete_selected", "_selected_action": user.pk, "post": "yes"}
    client.post("/admin/auth/user/", action)
    assert state(user) == before
    assert client.get(f"/admin/auth/user/{user.pk}/password/").status_code == 403
    assert client.get(change_path(user)).status_code == 200  # the manager may view it


def test_a_user_with_no_more_rights_can_be_changed_and_deleted(client, bob):
    bob.user_permissions.set(permissions(OWN))
    recipes.token.make(user=bob)
    password = {"password1": "byron-1815", "password2": "byron-1815", "usable_password": "true"}
    assert client.post(f"/admin/auth/user/{bob.pk}/password/", password).status_code == 302
    assert User.objects.get(pk=bob.pk).check_password("byron-1815")
    client.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=bob.pk).exists()


def test_deleting_a_user_needs_no_permission_on_the_tokens(client, manager, bob):
    manager.user_permissions.remove(*permissions(*TOKENS))
    recipes.token.make(user=bob)
    client.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=bob.pk).exists()


def test_a_superuser_may_do_all_of_it(admin_client, bob):
    group = recipes.group.make()
    pk = permissions(OTHER)[0].pk
    form = form_of(bob, is_superuser="on", user_permissions=[pk], groups=[group.pk])
    assert admin_client.post(change_path(bob), form).status_code == 302
    bob.refresh_from_db()
    assert (bob.is_superuser, bob.user_permissions.count(), bob.groups.count()) == (True, 1, 1)


# --- Groups ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_member", [False, True])
def test_a_group_is_not_given_rights_that_one_lacks(client, manager, is_member):
    group = recipes.group.make()
    if is_member:
        manager.groups.add(group)
    path = f"/admin/auth/group/{group.pk}/change/"
    other, own = permissions(OTHER)[0].pk, permissions(OWN)[0].pk
    assert client.post(path, {"name": "editors", "permissions": [own, other]}).status_code == 200
    assert group.permissions.count() == 0
    assert client.post(path, {"name": "editors", "permissions": [own]}).status_code == 302
    assert group.permissions.get().codename == OWN


def test_a_new_group_has_only_rights_of_its_creator(client):
    other, own = permissions(OTHER)[0].pk, permissions(OWN)[0].pk
    assert client.post("/admin/auth/group/add/", {"name": "new", "permissions": [other]}).status_code == 200
    assert not Group.objects.exists()
    assert client.post("/admin/auth/group/add/", {"name": "new", "permissions": [own]}).status_code == 302


def test_a_group_with_more_rights_cannot_be_changed_or_deleted(client):
    group = recipes.group.make()
    group.permissions.set(permissions(OTHER))
    for view, form in (("change", {"name": "mine"}), ("delete", {"post": "yes"})):
        assert client.post(f"/admin/auth/group/{group.pk}/{view}/", form).status_code == 403
    client.post("/admin/auth/group/", {"action": "delete_selected", "_selected_action": group.pk, "post": "yes"})
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("editors", 1)


# --- Tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["superuser", "by permission", "weak"])
def test_a_token_is_for_oneself(client, manager, kind):
    other = recipes.user.make() if kind == "weak" else strong(kind)
    page = client.post("/admin/dsrhub/apitoken/add/", {"user": other.pk, "name": "mine"})
    assert "not shown again" in page.content.decode()
    token = ApiToken.objects.get()
    assert (token.user, token.created_by) == (manager, manager)
    assert 'name="user"' not in client.get("/admin/dsrhub/apitoken/add/").content.decode()


@pytest.mark.parametrize("kind", STRONG)
def test_tokens_of_users_with_more_rights_cannot_be_revoked(client, kind):
    token = recipes.token.make(user=strong(kind))
    assert client.post(f"/admin/dsrhub/apitoken/{token.pk}/delete/", {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": token.pk, "post": "yes"}
    client.post("/admin/dsrhub/apitoken/", action)
    assert ApiToken.objects.count() == 1


def test_tokens_of_users_with_no_more_rights_can_be_revoked(client, manager, bob):
    for user in (manager, bob):
        token = recipes.token.make(user=user)
        assert client.post(f"/admin/dsrhub/apitoken/{token.pk}/delete/", {"post": "yes"}).status_code == 302
    assert ApiToken.objects.count() == 0


def test_a_token_cannot_be_changed(admin_client, bob):
    token = recipes.token.make(user=bob)
    path = f"/admin/dsrhub/apitoken/{token.pk}/change/"
    assert admin_client.post(path, {"name": "other", "expires_at": "2999-01-01"}).status_code == 403
