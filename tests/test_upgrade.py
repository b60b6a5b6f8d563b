"""Upgrades a database of the first release that contains data: no row is lost, and the catalogue finds all of them."""

import io
import json

import psycopg2
import pytest
from django.db import connection

from catalogue.models import Currency, ReportMessage, Territory, UseTypeTotal
from dsrhub.database.statements import execute
from tests.catalogue.sample_message import import_message
from tests.processes import database_url, manage, new_database

pytestmark = pytest.mark.django_db(transaction=True)
# Rows that the first release wrote for three reports: a large one, whose lines have their own table, a small one, and
# a failed one.
FIRST_RELEASE = """
INSERT INTO catalogue_dsr (
    id, path, sha256, dsp, offer, period_start, period_end, status, exchange_rate, rate_method, rate_source,
    partition, line_count, total_usages, total_revenue, lowest_revenue, most_repeats, blank_title_count,
    blank_artists_count, blank_isrc_count, blank_usages_count, blank_revenue_count, error_count, warning_count,
    imported_at, currency_id, territory_id
) VALUES
    (1, 'Spotify_Duo_ES_EUR_20200101-20200131.tsv', repeat('1', 64), 'Spotify', 'Duo', '2020-01-01', '2020-01-31',
     'ingested', 1, 'identity', '', 1, 3, 6, 4.1, 0.1, 2, 1, 3, 1, 0, 0, 0, 1, '2020-02-01Z', 'EUR', 'ES'),
    (2, 'Spotify_Duo_NO_NOK_20200201-20200229.tsv', repeat('2', 64), 'Spotify', 'Duo', '2020-02-01', '2020-02-29',
     'ingested', 10, 'operator', 'our bank', 0, 2, 3, 30, 10, 1, 0, 2, 2, 0, 0, 0, 0, '2020-03-01Z', 'NOK', 'NO'),
    (3, 'Spotify_Duo_CH_CHF_20200201-20200229.tsv', NULL, 'Spotify', 'Duo', '2020-02-01', '2020-02-29',
     'failed', NULL, '', '', 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 1, 0, '2020-03-02Z', 'CHF', 'CH'),
    (4, 'spotify_Duo_NO_NOK_20200201-20200229.tsv', repeat('4', 64), 'spotify', 'Duo', '2020-02-01', '2020-02-29',
     'ingested', 10, 'operator', 'our bank', 0, 0, 0, 0, NULL, 1, 0, 0, 0, 0, 0, 0, 0, '2020-03-03Z', 'NOK', 'NO');
INSERT INTO catalogue_reportproblem (dsr_id, line, "column", value, code, level)
    VALUES (3, 2, 'revenue', 'ten', 'not_a_number', 'error');
CREATE TABLE catalogue_usageline_1 (LIKE catalogue_usageline_shared INCLUDING STORAGE);
INSERT INTO catalogue_usageline_1 (dsr_id, partition, line_number, usages, dsp_id, title, isrc, revenue) VALUES
    (1, 1, 2, 1, 'a', 'Old title', 'ESA001900001', 2.5),
    (1, 1, 3, 2, 'b', NULL, NULL, 0.1),
    (1, 1, 4, 3, 'a', 'Old title', 'ESA001900001', 1.5);
CREATE INDEX ON catalogue_usageline_1 (hashtextextended(dsp_id, 0));
CREATE INDEX ON catalogue_usageline_1 (revenue DESC NULLS LAST);
ALTER TABLE catalogue_usageline ATTACH PARTITION catalogue_usageline_1 FOR VALUES IN (1);
INSERT INTO catalogue_usageline (dsr_id, partition, line_number, usages, dsp_id, title, revenue) VALUES
    (2, 0, 2, 1, 'a', 'New title', 20),
    (2, 0, 3, 2, 'c', 'Third', 10);
INSERT INTO subscriptions_subscription (id, carrier, status) VALUES (7, 'att', 'active');
CREATE TABLE subscriptions_datausagerecord_20200101 PARTITION OF subscriptions_datausagerecord
    FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
INSERT INTO subscriptions_datausagerecord (subscription_id, usage_date, kilobytes_used, day, price)
    VALUES (7, '2020-01-01 12:00Z', 5, '2020-01-01', 0.123456789012345678901);
INSERT INTO subscriptions_datausagerecord (subscription_id, usage_date, kilobytes_used, day, price, external_id)
    VALUES (7, '2020-01-01 12:00Z', 5, '2020-01-01', 1, 'x 1'), (7, '2020-01-01 12:00Z', 5, '2020-01-01', 1, ' x 1');
INSERT INTO auth_user (id, username, password, is_active, is_staff, is_superuser, first_name, last_name, email,
                       date_joined)
    SELECT id, name, 'md5$$' || md5(name), true, false, false, '', '', '', now()
    FROM (VALUES (1, 'ada'), (2, 'eve')) AS users (id, name);
INSERT INTO authtoken_token (key, user_id, created) VALUES (repeat('a', 40), 1, now() - interval '18 months');
UPDATE catalogue_territory SET local_currency_id = 'BGN' WHERE code_2 = 'BG';
UPDATE catalogue_territory SET name = 'St. Helena' WHERE code_2 = 'SH';
UPDATE catalogue_territory SET name = 'Heard & McDonald Islands' WHERE code_2 = 'HM';
UPDATE catalogue_territory SET name = 'French Southern Territories' WHERE code_2 = 'TF';
UPDATE catalogue_currency SET name = 'Kyrgystani Som' WHERE code = 'KGS';
DELETE FROM catalogue_currency WHERE code = 'XAD';
INSERT INTO catalogue_currency (code, name, symbol) VALUES ('CNX', 'Chinese People’s Bank Dollar', 'CNX');
"""

# An old server creates a token after the migration.
OLD_SERVER = "INSERT INTO authtoken_token (key, user_id, created) VALUES (repeat('e', 40), 2, now())"

# An old worker imports a large and a small TSV report after the migration. All columns that it knows are in the rows of
# DSRs and problems.
OLD_COLUMNS = "dsp_id, title, artists, isrc, usages, revenue"
OLD_LINES = "a\tTitle\tAda\tESA001900001\t2\t1.5\nd\tOther\t\t\t1\t0.5\n"
OLD_TABLES = """
CREATE TEMP SEQUENCE usageline_load_5_line MINVALUE 2 CACHE 1000;
CREATE {kind} TABLE {table} (LIKE catalogue_usageline_shared INCLUDING STORAGE,
    CONSTRAINT loading CHECK (partition = {partition})) WITH (autovacuum_enabled = off) {on_commit};
ALTER TABLE {table} ALTER dsr_id SET DEFAULT {dsr}, ALTER partition SET DEFAULT {partition},
    ALTER line_number SET DEFAULT nextval('pg_temp.usageline_load_5_line');
"""
OLD_COPY = r"COPY {table} ({columns}) FROM STDIN (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', NULL '', FREEZE)"
OLD_OWN_TABLE = """
CREATE UNIQUE INDEX ON {table} (hashtextextended(dsp_id, 0));
ALTER TABLE {table} ALTER dsr_id DROP DEFAULT, ALTER partition DROP DEFAULT, ALTER line_number DROP DEFAULT;
CREATE INDEX ON {table} (revenue DESC NULLS LAST);
CREATE INDEX ON {table} USING brin (line_number) WITH (pages_per_range = 32);
ANALYZE {table} (dsr_id, partition, line_number, revenue);
ALTER TABLE catalogue_usageline ATTACH PARTITION {table} FOR VALUES IN ({partition});
ALTER TABLE {table} DROP CONSTRAINT loading;
"""
OLD_SHARED_TABLE = """
INSERT INTO catalogue_usageline_shared SELECT * FROM {table};
DROP TABLE {table};
"""
OLD_DSR = """
INSERT INTO catalogue_dsr (
    id, path, gzip_name, sha256, dsp, offer, society, period_start, period_end, status, exchange_rate, rate_method,
    rate_source, partition, line_count, total_usages, total_revenue, lowest_revenue, most_repeats, blank_title_count,
    blank_artists_count, blank_isrc_count, blank_usages_count, blank_revenue_count, error_count, warning_count,
    is_catalogued, imported_at, imported_by_id, currency_id, territory_id
) VALUES (
    {dsr}, 'a.tsv', NULL, repeat('5', 64), 'Spotify', 'Duo', NULL, '2020-0{month}-01', '2020-0{month}-28', 'ingested',
    1, 'identity', '', {partition}, 2, 3, 2, 0.5, 1, 0, 1, 1, 0, 0, 0, 1, false, now(), NULL, 'EUR', 'ES'
);
INSERT INTO catalogue_reportproblem (dsr_id, line, "column", value, code, level)
    VALUES ({dsr}, 2, 'isrc', 'x', 'isrc_invalid', 'warning');
"""


def old_import(address, *, dsr, month, is_large):
    """What a worker of the version before messages does for a TSV report."""
    values = {"dsr": dsr, "month": month, "columns": OLD_COLUMNS, "partition": dsr if is_large else 0}
    values |= (
        {"kind": "", "on_commit": "", "table": f"catalogue_usageline_{dsr}"}
        if is_large
        else {"kind": "TEMP", "on_commit": "ON COMMIT DROP", "table": f"usageline_load_{dsr}"}
    )
    database = psycopg2.connect(address)
    try:
        with database, database.cursor() as cursor:
            cursor.execute(OLD_TABLES.format(**values))
            cursor.copy_expert(OLD_COPY.format(**values), io.StringIO(OLD_LINES))
            cursor.execute((OLD_OWN_TABLE if is_large else OLD_SHARED_TABLE).format(**values))
            cursor.execute(OLD_DSR.format(**values))
    finally:
        database.close()


# Asks with each key, before and after the command. Then another password revokes one.
TOKENS = """
import io
import json
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from rest_framework.authtoken.models import Token

def statuses():
    return [
        Client(headers={"Host": "localhost", "Authorization": f"Token {letter * 40}"}).get("/dsrs/").status_code
        for letter in "aex"
    ]

answers = [statuses()]
call_command("forget_old_tokens", verbosity=0, stdout=io.StringIO())
answers += [statuses(), Token.objects.count()]
User.objects.filter(username="ada").update(password="other")
print(json.dumps([*answers, statuses()]))
"""

# Runs with the current version.
QUESTIONS = """
import json
from catalogue.models import DSR, Resource
from catalogue.ranking.selectors import resource_ranking
from subscriptions.models import DataUsageRecord

with resource_ranking(percentile=100) as ranking:
    top = ranking.rows(limit=ranking.count)
dsrs = DSR.objects.order_by("id")
print(json.dumps({
    "dsrs": [[d.pk, d.status, d.line_count, str(d.total_revenue), d.problems.count()] for d in dsrs],
    "top": [[r.dsp_id, str(r.revenue.normalize())] for r in top],
    "resources": list(Resource.objects.order_by("dsp_id").values_list("dsp_id", "title", "isrc")),
    "records": [str(price) for price in DataUsageRecord.objects.order_by("id").values_list("price", flat=True)],
}))
"""


def run_sql(address, statements):
    database = psycopg2.connect(address)
    with database, database.cursor() as cursor:
        cursor.execute(statements)
    database.close()


TO_FIRST_RELEASE = """
from django.core.management import call_command

for app, migration in (("catalogue", "0003"), ("subscriptions", "0001"), ("dsrhub", "0001"), ("auth", "0012")):
    call_command("migrate", app, migration)
"""


@pytest.fixture(scope="module")
def template(django_db_setup, django_db_blocker):
    """The name of a database of the first release after `migrate`, to be copied."""
    with django_db_blocker.unblock(), new_database("template", "template0") as name:
        address = database_url(name)
        manage("shell", "--no-imports", "--command", TO_FIRST_RELEASE, DATABASE_URL=address)
        run_sql(address, FIRST_RELEASE)
        manage("migrate", DATABASE_URL=address)
        yield name


@pytest.fixture
def upgraded(template):
    """The address of a database of the first release after `migrate`."""
    with new_database("upgraded", template) as name:
        yield database_url(name)


def test_an_upgrade_keeps_all_rows_and_catalogues_them(upgraded):
    manage("refresh_catalogue", DATABASE_URL=upgraded)
    answers = json.loads(manage("shell", "--no-imports", "--command", QUESTIONS, DATABASE_URL=upgraded))
    assert answers == {
        "dsrs": [
            *([1, "ingested", 3, "4.1", 0], [2, "ingested", 2, "30", 0], [3, "failed", 0, "0", 1]),
            [4, "ingested", 0, "0", 0],
        ],
        "top": [["a", "6"], ["c", "1"], ["b", "0.1"]],
        "resources": [["a", "New title", "ESA001900001"], ["b", None, None], ["c", "Third", None]],
        "records": ["0.123456789012345678901", "1", "1"],
    }
    assert "dsp: 'Spotify' (2 DSRs), 'spotify' (1 DSR)" in manage("list_look_alikes", DATABASE_URL=upgraded)
    repeated = manage("list_repeated_usage", DATABASE_URL=upgraded)
    assert "subscription 7, external id 'x 1': records 2 (2020-01-01), 3 (2020-01-01)" in repeated


# The rows of currencies and of territories.
REFERENCE_DATA = """
import json
from catalogue.models import Currency, Territory

currencies, territories = Currency.objects.values_list(), Territory.objects.values_list()
print(json.dumps([list(currencies), list(territories)]))
"""


def test_currencies_and_territories_become_those_of_a_new_database(upgraded):
    currencies, territories = json.loads(
        manage("shell", "--no-imports", "--command", REFERENCE_DATA, DATABASE_URL=upgraded)
    )
    # Nothing is deleted that old data can refer to.
    currencies.remove(["CNX", "Chinese People’s Bank Dollar", "CNX"])
    assert currencies == [list(row) for row in Currency.objects.values_list()]
    assert territories == [list(row) for row in Territory.objects.values_list()]
    assert ["XAD", "Arab Accounting Dinar", "XAD"] in currencies
    assert ["BG", "Bulgaria", "EUR"] in territories
    assert ["SH", "St. Helena, Ascension & Tristan da Cunha", "SHP"] in territories


def test_workers_of_the_version_before_import_reports_beside_new_ones(upgraded):
    old_import(upgraded, dsr=5, month=3, is_large=True)
    old_import(upgraded, dsr=6, month=4, is_large=False)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        old_import(upgraded, dsr=7, month=4, is_large=False)

    manage("refresh_catalogue", DATABASE_URL=upgraded)
    answers = json.loads(manage("shell", "--no-imports", "--command", QUESTIONS, DATABASE_URL=upgraded))
    assert answers["dsrs"][-2:] == [[5, "ingested", 2, "2", 1], [6, "ingested", 2, "2", 1]]
    # 4 of DSR 1, 2 of DSR 2 and two times 1.5 of these.
    assert answers["top"] == [["a", "9"], ["c", "1"], ["d", "1"], ["b", "0.1"]]
    assert ["d", "Other", None] in answers["resources"]


def test_servers_of_the_version_before_can_queue_jobs_beside_new_ones():
    columns = "upload, name, stored_name, size, file_sha256, state, message, replace, tries, bytes_done, request_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO catalogue_importjob ({columns}, uploaded_at, changed_at) "  # noqa: S608
            "VALUES ('some', 'a.tsv', 'stored', 1, '', 'to_check', '', false, 0, 0, 'abc', now(), now())"
        )
        cursor.execute("SELECT address FROM catalogue_importjob")
        assert cursor.fetchall() == [("",)]


# What a server of the version before messages does when it deletes a DSR.
OLD_DELETION = """
INSERT INTO catalogue_leftoverlines (dsr_number, partition, dsp, is_catalogued)
    SELECT id, partition, dsp, is_catalogued FROM catalogue_dsr WHERE id = %(dsr)s;
DELETE FROM catalogue_reportproblem WHERE dsr_id = %(dsr)s;
DELETE FROM catalogue_ratechange WHERE dsr_id = %(dsr)s;
DELETE FROM catalogue_dsr WHERE id = %(dsr)s;
"""


def test_servers_of_the_version_before_can_delete_the_dsrs_of_messages(tmp_path):
    message = import_message(tmp_path)
    for number in list(message.dsrs.values_list("pk", flat=True)):
        execute(OLD_DELETION, dsr=number)
    assert not UseTypeTotal.objects.exists()

    again = import_message(tmp_path)
    assert [again.dsrs.count(), list(ReportMessage.objects.all())] == [5, [again]]


def test_tokens_keep_working_until_the_password_changes(upgraded):
    run_sql(upgraded, OLD_SERVER)
    answers = json.loads(manage("shell", "--no-imports", "--command", TOKENS, DATABASE_URL=upgraded))
    # The last key does not exist. The old table is empty after the command.
    assert answers == [[200, 200, 401], [200, 200, 401], 0, [401, 200, 401]]
