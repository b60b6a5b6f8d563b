"""The keys of advisory locks, which old and new servers and workers share during an upgrade."""

from datetime import date

import pytest
from django.db import connection

from dsrhub.database import locks
from dsrhub.database.statements import rows_of

pytestmark = pytest.mark.django_db

JANUARY = {"period_start": date(2020, 1, 1), "period_end": date(2020, 1, 31)}
FEBRUARY = {"period_start": date(2020, 2, 1), "period_end": date(2020, 2, 29)}
FAMILY = {"dsp": "Spotify", "offer": "SpotifyFamilyPlan", "society": None, "territory": "ES", "currency": "EUR"}
SUMMER = {"dsp": "Deezer", "offer": 'L\'Été "x"', "society": "SACEM", "territory": "FR", "currency": "EUR"}

# The second numbers were read from PostgreSQL with the texts that the first release with the lock hashed.
KEYS = [
    (locks.DSR_KEY, FAMILY | JANUARY, -3031676107533502305),
    (locks.DSR_KEY, SUMMER | FEBRUARY, 8507540874758907784),
    (locks.NAMES, {"number": 68}, 5120147377037362094),
    (locks.MESSAGES, {}, -7195968674746878596),
    (locks.RATES, {}, 5666128207213703761),
    (locks.RESOURCES, {}, -8694387364366515914),
    (locks.RESOURCES_OF_DSP, {"dsp": "Spotify"}, -8436436048996669856),
    (locks.RANKING, {"key": 64 * "0"}, -283959694693285968),
    (locks.RANKING_BY_ADDING_UP, {}, -8485561814984131168),
    (locks.ARTISTS, {"key": 64 * "0"}, 3078786222785221168),
    (locks.WAITING_FILES, {"user": 7}, -4997876823519787574),
    (locks.USAGE_AGGREGATES, {"usage_type": "data"}, -8155699748909668524),
    (locks.USAGE_RECORDS, {"usage_type": "voice"}, 8879801897008938269),
    (locks.USAGE_RECORD, {"usage_type": "data", "record_id": 17}, 4782657296346766813),
    (locks.USAGE_LIMITS, {"usage_type": "data"}, -4003204677344418911),
    (locks.USAGE_PARTITION, {"table": "subscriptions_datausagerecord_20200131"}, 2308322447171104291),
]


@pytest.mark.parametrize(("lock", "parts", "number"), KEYS)
def test_a_key_stays_as_the_first_release_has_it(lock, parts, number):
    lock.take(**parts)

    # PostgreSQL shows the two halves of the number apart.
    ((high, low),) = rows_of(
        "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    )
    assert high << 32 | low == number % 2**64


def test_a_lock_with_a_cursor_has_the_same_key():
    lock, parts, number = KEYS[-1]
    with connection.cursor() as cursor:
        lock.take_with(cursor, **parts)

    ((high, low),) = rows_of(
        "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    )
    assert high << 32 | low == number % 2**64


@pytest.mark.parametrize(
    ("lock", "space"),
    [
        (locks.IMPORT_JOBS, 1146311168),
        (locks.RANKING_READERS, 1918987883),
        (locks.ARTIST_READERS, 1634890867),
        (locks.PREPARING_RANKINGS, 1886545264),
        (locks.USAGE_EXPORTS, 1969584240),
        (locks.WEBHOOKS, 2003133032),
        (locks.DROP_FOLDERS, 1685221232),
        (locks.INCOMING_LINES, 1768842095),
    ],
)
def test_a_session_lock_keeps_its_space(lock, space):
    assert lock.try_take(7)
    try:
        assert rows_of(
            "SELECT classid::bigint, objid::bigint, objsubid FROM pg_locks "
            "WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        ) == [(space, 7, 2)]
        assert lock.held_numbers() == {7}
    finally:
        lock.give_back(7)
    assert lock.held_numbers() == set()


def test_every_lock_of_the_table_has_a_key_here():
    table = {lock for lock in vars(locks).values() if isinstance(lock, locks.TransactionLock)}
    assert table == {lock for lock, _, _ in KEYS}
