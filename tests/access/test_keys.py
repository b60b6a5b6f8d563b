"""Keys: what is stored, how they end, and how they are rotated."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dsrhub.access import keys as services
from dsrhub.access.keys import InvalidKey, KeyEnded, KeyNotFound, key_create, key_get, key_revoke, key_rotate
from dsrhub.models import ApiKey, AuditEntry, KeyUser
from tests import recipes

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def program(secret):
    return Client(headers={"Authorization": f"Bearer {secret}"})


def statuses(secret):
    """The statuses of REST and GraphQL."""
    client = program(secret)
    asked = client.post("/graphql", {"query": "{ __typename }"}, content_type="application/json")
    return {asked.status_code, client.get("/dsrs/").status_code}


def refusal(secret):
    answer = program(secret).get("/dsrs/")
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


# --- What is stored --------------------------------------------------------------------------------------------


def test_only_the_hash_and_the_prefix_of_a_secret_are_stored():
    bob = recipes.user.make()
    key = key_create(user=bob, name="meter", scopes=["write_usage", "read_usage"], days=10, created_by=bob)
    assert re.fullmatch("dsrhub_[0-9a-f]{12}_[0-9a-f]{64}", key.secret)
    stored = ApiKey.objects.get()
    assert (stored.prefix, stored.hash) == (key.secret[:19], sha256(key.secret.encode()).hexdigest())
    assert (stored.user, stored.name, stored.scopes) == (bob, "meter", ["read_usage", "write_usage"])
    assert stored.expires_at - stored.created_at == timedelta(days=10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key::text FROM dsrhub_apikey AS key UNION ALL SELECT one::text FROM dsrhub_auditentry AS one"
        )
        assert [row for (row,) in cursor.fetchall() if key.secret[19:30] in row] == []


def test_keys_work_over_rest_and_graphql_with_both_words_in_the_header():
    key = recipes.key.make()
    assert statuses(key.secret) == {200}
    assert Client(headers={"Authorization": f"Token {key.secret}"}).get("/dsrs/").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        lambda key: key.prefix,
        lambda key: key.hash,
        lambda key: f"{key.prefix}_{key.hash}",
        lambda key: key.secret[:-1],
        lambda key: f"{key.secret}0",
        lambda key: key.secret[:-1] + ("0" if key.secret[-1] != "0" else "1"),
        lambda key: key.secret.upper(),
        lambda _: "dsrhub_",
        lambda _: "dsrhub_\0",
        lambda _: f"dsrhub_{'é' * 12}_{'0' * 64}",
        lambda _: f"dsrhub_{'0' * 12}_{'0' * 64}",
    ],
)
def test_a_wrong_secret_is_never_anonymous(wrong):
    assert statuses(wrong(recipes.key.make())) == {401}


def test_the_hashes_are_compared_in_constant_time(monkeypatch):
    key, compared = recipes.key.make(), []
    monkeypatch.setattr(services, "compare_digest", lambda *pair: compared.append(pair) or True)
    services.key_of_secret(key.secret)
    assert compared == [(key.hash, key.hash)]


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"scopes": []}, "scope"),
        ({"scopes": ["read_usage", "all"]}, "scope"),
        ({"days": 0}, "days"),
        ({"days": 3651}, "days"),
    ],
)
def test_a_key_with_wrong_values_is_refused(values, parameter):
    bob = recipes.user.make()
    with pytest.raises(InvalidKey) as refused:
        key_create(**{"user": bob, "name": "meter", "scopes": ["read_usage"], "created_by": bob} | values)
    assert refused.value.extra["parameter"] == parameter
    assert not ApiKey.objects.exists()
    assert not AuditEntry.objects.exists()


# --- How they end ----------------------------------------------------------------------------------------------


def test_a_key_expires(settings):
    settings.DSRHUB_TOKEN_DAYS = 30
    bob = recipes.user.make()
    key = key_create(user=bob, name="meter", scopes=["read_reports"], created_by=bob)
    assert key.expires_at - key.created_at == timedelta(days=30)
    assert statuses(key.secret) == {200}
    ApiKey.objects.update(expires_at=timezone.now())
    assert statuses(key.secret) == {401}
    assert refusal(key.secret) == (401, "authentication_failed", "The API key has expired.")


def test_a_revoked_key_is_refused():
    key = recipes.key.make(last_used_at=NOON)
    key_revoke(key=key)
    assert refusal(key.secret) == (401, "authentication_failed", "Invalid API key.")
    assert AuditEntry.objects.get().details["last_used_at"] == "2026-01-05T12:00:00+00:00"
    key_revoke(key=key)  # by another request
    assert AuditEntry.objects.count() == 1


def test_the_keys_of_an_inactive_user_are_refused():
    key = recipes.key.make()
    User.objects.update(is_active=False)
    assert refusal(key.secret) == (401, "authentication_failed", "User inactive or deleted.")


def test_keys_go_with_their_owner_also_when_an_old_server_deletes_the_user():
    recipes.key.make()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM auth_user")
    assert not ApiKey.objects.exists()


def test_another_password_leaves_the_keys_valid():
    key = recipes.key.make()
    key.user.set_password("byron-1815")
    key.user.save()
    assert statuses(key.secret) == {200}


def test_wrong_secrets_count_as_failures_of_their_address(settings):
    settings.DSRHUB_SIGN_IN_FAILURES = 2
    key = recipes.key.make()
    assert [statuses(f"{key.prefix}_0") for _ in range(2)] == [{401}, {429}]
    assert statuses(key.secret) == {200}


# --- The last use ----------------------------------------------------------------------------------------------


def last_use_after(secret, monkeypatch, now):
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert program(secret).get("/dsrs/").status_code == 200
    return ApiKey.objects.get().last_used_at


def test_the_last_use_is_written_once_a_minute(monkeypatch):
    key = recipes.key.make(expires_at=NOON + timedelta(days=1))
    assert last_use_after(key.secret, monkeypatch, NOON) == NOON
    assert last_use_after(key.secret, monkeypatch, NOON + timedelta(seconds=59)) == NOON
    later = NOON + timedelta(seconds=60)
    assert last_use_after(key.secret, monkeypatch, later) == later


def test_a_request_within_the_minute_only_reads_the_key_and_its_owner():
    key = recipes.key.make()
    client = program(key.secret)
    client.get("/dsrs/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/dsrs/")
    ours = [query["sql"].split()[0] for query in queries if re.search("apikey|auth_", query["sql"])]
    assert ours == ["SELECT", "SELECT"]


# --- Rotation --------------------------------------------------------------------------------------------------


def test_after_a_rotation_both_secrets_work_for_a_while(monkeypatch):
    bob = recipes.user.make()
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    before = key_create(user=bob, name="meter", scopes=["read_reports"], days=10, created_by=bob)
    monkeypatch.setattr(timezone, "now", lambda: NOON + timedelta(days=4))
    after = key_rotate(key=before, overlap_hours=12, created_by=bob)
    assert (after.user, after.name, after.scopes) == (bob, "meter", ["read_reports"])
    assert after.expires_at == NOON + timedelta(days=14)
    assert [statuses(one.secret) for one in (before, after)] == [{200}, {200}]
    before.refresh_from_db()
    assert (before.rotated_at, before.expires_at) == (NOON + timedelta(days=4), NOON + timedelta(days=4, hours=12))
    monkeypatch.setattr(timezone, "now", lambda: NOON + timedelta(days=4, hours=12))
    assert [statuses(one.secret) for one in (before, after)] == [{401}, {200}]


def test_a_rotation_never_makes_a_key_live_longer():
    now = timezone.now()
    key = recipes.key.make(created_at=now - timedelta(days=1), expires_at=now + timedelta(hours=1))
    key_rotate(key=key, overlap_hours=720, created_by=key.user)
    assert ApiKey.objects.get(pk=key.pk).expires_at == key.expires_at


def test_a_key_is_rotated_once():
    key = recipes.key.make()
    key_rotate(key=key, created_by=None)
    with pytest.raises(KeyEnded):
        key_rotate(key=key, created_by=None)
    assert ApiKey.objects.count() == 2


def test_an_expired_and_a_revoked_key_are_not_rotated():
    with pytest.raises(KeyEnded):
        key_rotate(key=recipes.key.make(expires_at=timezone.now()), created_by=None)
    revoked = ApiKey.objects.get()
    key_revoke(key=revoked)
    with pytest.raises(KeyNotFound):
        key_rotate(key=revoked, created_by=None)


@pytest.mark.parametrize("values", [{"overlap_hours": -1}, {"overlap_hours": 721}, {"days": 0}])
def test_a_rotation_with_wrong_values_is_refused(values):
    key = recipes.key.make()
    with pytest.raises(InvalidKey):
        key_rotate(key=key, created_by=None, **values)
    assert ApiKey.objects.get().rotated_at is None


@pytest.mark.parametrize("prefix", ["dsrhub_0123456789ab", "", "\0"])
def test_there_is_no_other_key(prefix):
    with pytest.raises(KeyNotFound):
        key_get(prefix=prefix)


# --- The owner -------------------------------------------------------------------------------------------------


def test_the_owner_of_a_key_is_the_same_user_with_less_rights():
    key = recipes.key.make(user=recipes.superuser.make(), scopes=["delete"])
    owner = services.key_owner(key)
    assert isinstance(owner, KeyUser)
    assert owner == key.user
    assert owner.has_perm("catalogue.delete_dsr")
    assert not owner.has_perms(["catalogue.delete_dsr", "catalogue.add_dsr"])
    assert key.user.has_perm("catalogue.add_dsr")


def test_the_audit_log_says_which_key_was_used():
    key = recipes.key.make(user=recipes.superuser.make())
    operation = (
        'mutation { setOperatorRate(currency: "NOK", periodStart: "2020-01-01", periodEnd: "2020-01-31", rate: "9.5") '
        "{ changedDsrCount } }"
    )
    answer = program(key.secret).post("/graphql", {"query": operation}, content_type="application/json")
    assert answer.json()["data"]["setOperatorRate"]["changedDsrCount"] == 0
    entry = AuditEntry.objects.get(action="rate_set")
    assert (entry.user_name, entry.details["key"]) == ("ada", key.prefix)
