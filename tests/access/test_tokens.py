"""Tokens: what is stored, how long they live, and the table of the releases before."""

import io
import re
from datetime import timedelta
from hashlib import sha256

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from dsrhub.access import tokens
from dsrhub.models import ApiToken, AuditEntry
from tests import recipes

pytestmark = pytest.mark.django_db

PATHS = ["/dsrs/", "/subscriptions/usage/?from=2020-01-01&to=2020-01-02"]


def program(key):
    return Client(headers={"Authorization": f"Token {key}"})


def statuses(key):
    """The answers of REST and GraphQL, of which anybody may read both."""
    client = program(key)
    asked = client.post("/graphql", {"query": "{ __typename }"}, content_type="application/json")
    return {asked.status_code, *(client.get(path).status_code for path in PATHS)}


def reason(key):
    answer = program(key).get("/dsrs/")
    assert answer.status_code == 401
    assert answer.json()["code"] == "authentication_failed"
    return answer.json()["detail"]


def stored_texts():
    """Everything in the tables of tokens, as in a dump."""
    both = "SELECT new::text FROM dsrhub_apitoken AS new UNION ALL SELECT old::text FROM authtoken_token AS old"
    with connection.cursor() as cursor:
        cursor.execute(both)
        return "\n".join(row for (row,) in cursor.fetchall())


# --- Keys ------------------------------------------------------------------------------------------------------


def test_only_the_hash_and_the_first_characters_of_a_key_are_stored(client):
    bob = recipes.user.make()
    key = client.post("/token/", {"username": "bob", "password": "lovelace"}).json()["token"]
    token = ApiToken.objects.get()
    assert token.hash == sha256(key.encode()).hexdigest()
    assert (token.user, token.created_by, token.prefix) == (bob, bob, key[:8])
    assert key[:9] not in stored_texts()
    assert statuses(key) == {200}


def test_each_sign_in_gives_another_token_and_the_earlier_ones_stay_valid(client):
    recipes.user.make()
    keys = [client.post("/token/", {"username": "bob", "password": "lovelace"}).json()["token"] for _ in range(2)]
    assert len(set(keys)) == 2
    assert [statuses(key) for key in keys] == [{200}, {200}]


def test_a_user_has_a_limited_number_of_tokens_from_signing_in(client, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_SIGN_INS", 3)
    bob = recipes.user.make()
    of_admin = recipes.token.make(user=bob)
    keys = []
    for number in range(3):
        keys.append(tokens.token_of_sign_in(bob).key)
        ApiToken.objects.filter(hash=tokens.key_hash(keys[-1])).update(
            created_at=timezone.now() - timedelta(days=10 - number)
        )
    assert statuses(keys[0]) == {200}  # used last
    keys.append(tokens.token_of_sign_in(bob).key)
    assert [statuses(key) for key in keys] == [{200}, {401}, {200}, {200}]
    assert statuses(of_admin.key) == {200}


@pytest.mark.parametrize("key", ["0123456789", "a" * 40, "é", "a" * 5000, "a%00b", "'", "\0"])
def test_a_wrong_token_is_never_anonymous(key):
    recipes.token.make()
    assert statuses(key) == {401}


def test_neither_the_hash_nor_the_prefix_is_a_key():
    token = recipes.token.make()
    assert [statuses(wrong) for wrong in (token.hash, token.prefix, token.fingerprint)] == [{401}] * 3


# --- Until when ------------------------------------------------------------------------------------------------


def test_a_token_expires_after_the_days_of_the_setting(settings):
    settings.DSRHUB_TOKEN_DAYS = 30
    token = recipes.token.make()
    assert token.expires_at - token.created_at == timedelta(days=30)
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    assert statuses(token.key) == {200}
    ApiToken.objects.update(expires_at=timezone.now())
    assert statuses(token.key) == {401}
    assert reason(token.key) == "The token has expired."


@pytest.mark.parametrize(("age", "status"), [(29, 200), (31, 401)])
def test_a_token_of_the_old_table_expires_too(settings, age, status):
    settings.DSRHUB_TOKEN_DAYS = 30
    old = recipes.old_token.make()
    Token.objects.update(created=timezone.now() - timedelta(days=age))
    assert statuses(old.key) == {status}


@pytest.mark.parametrize("recipe", ["token", "old_token"])
def test_tokens_of_inactive_users_are_refused(recipe):
    key = getattr(recipes, recipe).make().key
    User.objects.update(is_active=False)
    assert statuses(key) == {401}
    assert reason(key) == "User inactive or deleted."


def change_in_own_page(bob):
    client = Client()
    client.force_login(bob)
    form = {"old_password": "lovelace", "new_password1": "byron-1815", "new_password2": "byron-1815"}
    return client.post("/admin/password_change/", form)


def change_as_superuser(bob):
    client = Client()
    client.force_login(recipes.superuser.make())
    return client.post(
        f"/admin/auth/user/{bob.pk}/password/",
        {"password1": "byron-1815", "password2": "byron-1815", "usable_password": "true"},
    )


def disable(bob):
    client = Client()
    client.force_login(recipes.superuser.make())
    return client.post(
        f"/admin/auth/user/{bob.pk}/password/", {"usable_password": "false", "unset-password": "Disable"}
    )


@pytest.mark.parametrize("change", [change_in_own_page, change_as_superuser, disable])
@pytest.mark.parametrize("recipe", ["token", "old_token"])
def test_another_password_revokes_all_tokens_of_the_user(change, recipe):
    bob = recipes.staff.make()
    keys = [getattr(recipes, recipe).make(user=bob).key, recipes.token.make(user=bob).key]
    of_other = recipes.token.make(user=recipes.user.make(username="eve")).key
    assert [statuses(key) for key in keys] == [{200}, {200}]
    assert change(bob).status_code == 302
    assert [statuses(key) for key in keys] == [{401}, {401}]
    assert reason(keys[1]) == "The token was revoked: the password has changed since."
    assert statuses(of_other) == {200}


def test_another_password_revokes_a_token_that_only_an_old_server_has_seen():
    old = recipes.old_token.make(user=recipes.staff.make())
    assert change_in_own_page(old.user).status_code == 302
    assert statuses(old.key) == {401}
    assert reason(old.key) == "The token was revoked: the password has changed since."
    entry = AuditEntry.objects.get(action="token_revoked")
    assert entry.object_name == f"Token {old.key[:8]}… of bob"


def test_a_stronger_hash_of_the_same_password_keeps_the_tokens(client, settings):
    key = recipes.token.make().key
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    before = User.objects.get().password
    assert client.post("/token/", {"username": "bob", "password": "lovelace"}).status_code == 200
    assert User.objects.get().password != before
    assert statuses(key) == {200}


def test_the_last_use_is_updated_once_an_hour():
    token = recipes.token.make()

    def last_use():
        statuses(token.key)
        return ApiToken.objects.get().last_used_at

    first = last_use()
    assert timezone.now() - first < timedelta(minutes=10)
    assert last_use() == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=61))
    assert last_use() > first


# --- The table of the releases before --------------------------------------------------------------------------


def test_a_token_of_an_old_server_works_and_is_then_known():
    old = recipes.old_token.make()
    assert statuses(old.key) == {200}
    token = ApiToken.objects.get()
    assert (token.user, token.prefix, token.created_at) == (old.user, old.key[:8], old.created)
    assert token.hash == sha256(old.key.encode()).hexdigest()


def test_what_an_old_server_revokes_is_revoked():
    old = recipes.old_token.make()
    assert statuses(old.key) == {200}
    Token.objects.all().delete()
    assert statuses(old.key) == {401}
    call_command("forget_old_tokens", stdout=io.StringIO())
    assert ApiToken.objects.count() == 0


def test_the_command_deletes_the_old_keys_and_their_tokens_keep_working(capsys):
    known, unknown = recipes.old_token.make(), recipes.old_token.make(user=recipes.user.make(username="eve"))
    assert statuses(known.key) == {200}
    assert known.key in stored_texts()
    call_command("forget_old_tokens")
    assert capsys.readouterr().out == "2 keys deleted. Older backups still contain them.\n"
    assert not re.search("[0-9a-f]{9}", re.sub("[0-9a-f]{64}", "", stored_texts()))
    assert [statuses(old.key) for old in (known, unknown)] == [{200}, {200}]
    call_command("forget_old_tokens")
    assert capsys.readouterr().out.startswith("0 keys")
    User.objects.update(password=make_password("byron-1815"))
    assert [statuses(old.key) for old in (known, unknown)] == [{401}, {401}]


def test_an_old_server_can_delete_a_user_with_tokens():
    """It does not know our table, so the database must do the rest."""
    ada, bob = recipes.superuser.make(), recipes.user.make()
    tokens.token_create(user=bob, name="", created_by=ada)
    tokens.token_create(user=ada, name="", created_by=bob)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM auth_user WHERE username = 'bob'")
    assert [(token.user, token.created_by) for token in ApiToken.objects.all()] == [(ada, None)]


def created_by_the_command(*options):
    out = io.StringIO()
    call_command("drf_create_token", "bob", *options, stdout=out)
    (key,) = re.findall("Generated token ([0-9a-f]{40}) for user bob", out.getvalue())
    return key


def test_the_command_of_django_rest_framework_stores_no_key_either():
    recipes.user.make()
    first, second = created_by_the_command(), created_by_the_command()
    assert (statuses(first), statuses(second)) == ({200}, {200})
    assert Token.objects.count() == 0


def test_the_command_can_revoke_all_tokens_of_the_user():
    old = recipes.old_token.make()
    first, of_another = created_by_the_command(), recipes.token.make(user=recipes.superuser.make()).key
    new = created_by_the_command("--reset")
    assert [statuses(key) for key in (old.key, first, of_another, new)] == [{401}, {401}, {200}, {200}]
