"""The numbers in the documentation are those of the code: limits, defaults, and how long something lasts.

Each sentence of LIMITS takes its numbers from the code, and must be in its page. So a constant that changes fails here
until the page says the new number. A page that says "at most 7" in a sentence that is not in LIMITS fails, too.
"""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import load_command_class
from gunicorn.config import WorkerConnections

from catalogue.admin import cells, folders
from catalogue.admin import messages as message_pages
from catalogue.admin.dsrs import admin as dsr_pages
from catalogue.admin.dsrs import lines as line_pages
from catalogue.admin.imports import at_once as import_pages
from catalogue.admin.questions import coverage as coverage_page
from catalogue.admin.questions import recordings as comparison_page
from catalogue.admin.report_templates import checks, samples
from catalogue.admin.resources import admin as recording_pages
from catalogue.admin.start import months, needs
from catalogue.api.contract import FIRST_PIECE
from catalogue.api.questions import identification as identification_api
from catalogue.api.questions import statistics as statistics_api
from catalogue.dsrs import names
from catalogue.dsrs.statistics import coverage, groups
from catalogue.dsrs.versions import differences
from catalogue.folders import contents, delivering, watching
from catalogue.folders.looks import RECENT
from catalogue.imports import printed
from catalogue.imports.queue import preview
from catalogue.imports.queue import worker as queue
from catalogue.imports.queue.problems import PREVIEW_PROBLEMS
from catalogue.lines import arriving, cluster, gathering
from catalogue.management.commands import import_dsr
from catalogue.management.commands import worker as worker_command
from catalogue.ranking import prepared, warming
from catalogue.ranking.artists import sums as artist_sums
from catalogue.ranking.building import bounds, parts, threshold
from catalogue.ranking.cached import asked, cache
from catalogue.rates import impact
from catalogue.rates import services as rates
from catalogue.reports import delivery, problems, totals
from catalogue.reports.cells import LONGEST_CELL
from catalogue.reports.formats.ddex import lines as ddex_lines
from catalogue.reports.formats.ddex import message as ddex_message
from catalogue.reports.formats.ddex import money as ddex_money
from catalogue.reports.formats.ddex import reader as ddex_reader
from catalogue.reports.formats.templates import reader as template_reader
from catalogue.reports.formats.templates.files import rows as template_rows
from catalogue.reports.formats.templates.files import table as template_table
from catalogue.reports.formats.templates.files import workbook
from catalogue.reports.formats.tsv import reader as tsv_reader
from catalogue.resources import identification, same_isrc, selectors
from catalogue.resources import services as resources
from dsrhub import gunicorn, throttling
from dsrhub.access import keys, tokens
from dsrhub.api import pages
from dsrhub.database import planner
from dsrhub.database.pages import PAGE_BYTES
from dsrhub.http import addresses, bodies, readiness, worker
from dsrhub.import_export.formats import XLSX
from dsrhub.logs import audit
from dsrhub.metrics import collectors
from dsrhub.pages import list_totals
from dsrhub.pages.site_search import FOUND_OF_A_KIND
from dsrhub.values.numbers import DECIMALS, INTEGER_DIGITS, RATIO_DECIMALS
from dsrhub.webhooks import delivering as webhook_delivering
from dsrhub.webhooks import running, sending
from dsrhub.webhooks import services as webhooks
from graphql_schema import connections, execution, limits
from graphql_schema.view import BODY_LIMIT
from subscriptions.admin import imports as usage_imports
from subscriptions.admin import records as usage_pages
from subscriptions.admin import start as usage_start
from subscriptions.admin.questions import forms as usage_forms
from subscriptions.admin.questions import over_limit
from subscriptions.admin.questions import page as usage_questions
from subscriptions.aggregates import exports
from subscriptions.api.subscribers import MOST_IDS
from subscriptions.metrics import MOST_MARKS
from subscriptions.records import events, files, ingestion, loading, partitions
from tests.docs.blocks import ROOT
from tests.docs.test_blocks import DEFAULT, plain_default

# --- How the pages write numbers -------------------------------------------------------------------------------

WORDS = {2: "two", 3: "three", 4: "four", 7: "seven", 8: "eight", 10: "ten", 12: "twelve"}
FRACTIONS = {0.2: "fifth"}
TIMES = {
    timedelta(seconds=0.1): "a tenth of a second",
    timedelta(seconds=0.5): "half a second",
    timedelta(seconds=1): "a second",
    timedelta(seconds=2): "two seconds",
    timedelta(seconds=30): "half a minute",
    timedelta(minutes=1): "a minute",
    timedelta(minutes=2): "2 minutes",
    timedelta(minutes=5): "five minutes",
    timedelta(minutes=10): "ten minutes",
    timedelta(minutes=15): "15 minutes",
    timedelta(hours=1): "an hour",
    timedelta(days=1): "a day",
    timedelta(days=3): "three days",
    timedelta(days=7): "a week",
    timedelta(days=365): "a year",
}


def n(number):
    return f"{number:,}"


def word(number):
    return WORDS.get(number, n(number))


def size(count):
    """1024 and its powers, as `16 MiB`."""
    unit = max((power for power in range(4) if count >= 1024**power), default=0)
    return f"{count / 1024**unit:g} {['bytes', 'KiB', 'MiB', 'GiB'][unit]}"


def spoken(duration):
    """A number of seconds, or a duration, in words."""
    duration = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
    return TIMES.get(duration, str(duration))


def percent(share):
    return f"{float(share * 100):g} %"


SOURCE = (ROOT / "dsrhub" / "settings.py").read_text()
DEFAULTS = {name: plain_default(default) for name, default in DEFAULT.findall(SOURCE)}


def default(name):
    """The default of a setting, in plain digits. The settings of the tests may have another value."""
    return DEFAULTS[f"DSRHUB_{name}"]


def default_n(name):
    return n(int(default(name)))


def default_size(name):
    return size(int(default(name)))


JOBS = load_command_class("catalogue", "import_dsr").create_parser("manage.py", "import_dsr").get_default("jobs")
PERCENTILE = identification_api.IdentificationParameters().fields["percentile"].default
*FIRST_PAUSES, LAST_PAUSE = webhook_delivering.PAUSES
MINUTES_OF_PAUSES = [int(pause / timedelta(minutes=1)) for pause in FIRST_PAUSES]

# --- The sentences ---------------------------------------------------------------------------------------------

LIMITS = {
    "docs/admin.md": [
        f"For each kind it shows the first {word(FOUND_OF_A_KIND)}",
        f"Your choice is remembered for {spoken(settings.LANGUAGE_COOKIE_AGE)}",
        f"among the last {word(needs.GAP_MONTHS)} complete months",
        f"those of the last {needs.UNLIKE_DAYS} days count",
        f"If counting takes more than {spoken(needs.COUNT_SECONDS)}, "
        f"or a coverage would read more than {n(needs.MOST_COVERED)} DSRs",
        f"each of the {word(months.MOST_DSPS)} DSPs with most revenue",
        f"At most the latest {months.MOST_MONTHS} months are shown",
        f"finds more than {n(selectors.MOST_FOUND)} recordings shows {recording_pages.RESOURCES_ON_A_PAGE} of them",
        f"the revenue of each currency if there are at most {word(cells.MOST_CURRENCIES)}",
        f"If the sums take more than {spoken(list_totals.TOTAL_SECONDS)}",
        f"Below are the {word(recording_pages.QUICK_TOP)} recordings of this DSR with the most revenue",
        f"the recordings takes longer than {spoken(recording_pages.QUICK_SECONDS)}",
        f"the lines of the DSR, {line_pages.LINES_ON_A_PAGE} on a page",
        f"if that takes more than {line_pages.SEARCH_SECONDS} seconds",
        f"its first {message_pages.DSRS_ON_A_PAGE} DSRs",
        f"the first {preview.PREVIEW_LINES} lines, and the first {PREVIEW_PROBLEMS} problems",
        f"Of more than {preview.PREVIEW_DSRS} contexts",
        f"One upload may have at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files",
        f"If the check takes more than {word(checks.SECONDS)} seconds, it reads the first {n(checks.FIRST_ROWS)} rows",
        f"offers to read the whole file for up to {spoken(checks.MORE_SECONDS)}",
        f"the last {word(samples.MOST_SAMPLES)} of them",
        f"in the {spoken(timedelta(impact.DAYS_AROUND)).removeprefix('a ')} before and after it",
        f"the first {impact.FIRST_DSRS} of them",
        f"Spreadsheets calculate with {XLSX.most_digits} digits",
        f"A count of more than {XLSX.most_digits} digits is a text",
        f"A sheet holds at most {n(XLSX.most_rows)} rows, and a cell {n(XLSX.longest_text)} characters",
        f"missing if counting takes more than {dsr_pages.COUNT_SECONDS} seconds",
        f"ids of deleted usage records (the first {n(audit.MOST_ITEMS)})",
        f"the first {tokens.PREFIX_LENGTH} characters",
        f"when it was last used (to the {spoken(tokens.USE_INTERVAL).split()[-1]}), and when it expires",
        f"when it was last used (to the {spoken(keys.USE_INTERVAL).split()[-1]}).",
        f"for the hours that you choose ({keys.OVERLAP_HOURS}, at most {keys.MOST_OVERLAP_HOURS})",
    ],
    "docs/questions.md": [
        f"the sum of each DSR is rounded half-even to {bounds.DECIMALS} decimals",
        f"the quotient, rounded half-even to {RATIO_DECIMALS} decimals",
        f"their shares in per cent, to {RATIO_DECIMALS} decimals",
        f"Group by one or {word(groups.MOST_GROUPINGS)} of",
        f"The answer has at most {n(statistics_api.MOST_ROWS)} groups",
        f"the difference in per cent of before, rounded half-even to {RATIO_DECIMALS} decimals",
        f"Pages have `limit` rows ({n(pages.PAGE_LIMIT)}, at most {n(pages.LARGEST_PAGE)})",
        f"{comparison_page.SHOWN} recordings each. "
        f"The changes are looked for among the first {n(comparison_page.MOST_COMPARED)} recordings",
        f"the months from `from` to `to`, at most {coverage.MOST_MONTHS}",
        f"It starts with the {word(coverage_page.MONTHS_SHOWN)} months until now",
        f"After {word(coverage.MONTHS_EXPECTED)} months without a DSR",
        f"(`DSRHUB_UNLIKE_USAGES_FACTOR`, {default('UNLIKE_USAGES_FACTOR')})",
        f"(`DSRHUB_UNLIKE_REVENUE_FACTOR`, {default('UNLIKE_REVENUE_FACTOR')})",
        f"(`DSRHUB_UNLIKE_PRICE_FACTOR`, {default('UNLIKE_PRICE_FACTOR')})",
        f"up to {INTEGER_DIGITS} digits before the decimal point and {DECIMALS} behind it",
        f"per cent of the revenue in scope, {PERCENTILE} without the parameter",
        f"A page searches {n(identification.SEARCHED[identification.IsrcProblem.NO_ISRC])} ranks at most, "
        f"or {identification.SEARCHED[identification.IsrcProblem.SEVERAL_ISRCS]} for `several_isrcs`",
        f"if the top has more than {n(identification.MOST_COUNTED)} recordings",
        f"The first {same_isrc.MOST} recordings are listed and added up",
        f"the share of the first {word(artist_sums.TOP)} artists",
        f"All shares are in per cent of the revenue of all artists, rounded half-even to {RATIO_DECIMALS} decimals",
        f"at most {differences.MOST_LISTED} of each",
        f"If the comparison takes more than {differences.SECONDS} seconds",
    ],
    "docs/import.md": [
        f"After the first {import_dsr.SHOWN_PATHS} skipped paths",
        f"`import_dsr` imports {word(JOBS)} files at a time",
        f"a line for each of the first {printed.SHOWN_DSRS} DSRs",
        f"the first {PREVIEW_PROBLEMS} `problems`",
        f"more than {names.LONGEST_NAME} characters is refused",
        f"more than {INTEGER_DIGITS} digits before or {DECIMALS} digits after the decimal point",
        f"a cell has more than {n(LONGEST_CELL)} bytes of UTF-8",
        f"a line has more than {size(tsv_reader.LONGEST_LINE)}",
        f"dsrhub stopped reading at this line after {n(problems.MOST_ERRORS)} errors",
        f"at {totals.DIGITS_OF_A_DOUBLE} digits at most",
    ],
    "docs/formats/ddex.md": [
        f"rounded down at the {ddex_money.DECIMALS}th decimal",
        f"the number of all files, of which there may be {ddex_message.MOST_FILES}",
        f"within the first {size(delivery.HEAD_BYTES)} of the file",
        f"A line may have {size(ddex_lines.LONGEST_LINE)}",
        f"a block has {n(ddex_reader.MOST_IN_BLOCK)} records or more",
    ],
    "docs/formats/templates.md": [
        f"the first of {template_table.HEADING_ROWS} rows that has all headings",
        f"A file may become {n(template_reader.MOST_CONTEXTS)} DSRs",
        f"A line of text may have {size(template_rows.LONGEST_LINE)}, and a cell that is read {n(LONGEST_CELL)} bytes",
        f"A workbook may have {n(workbook.MOST_COLUMNS)} columns, {size(workbook.MOST_TEXT_BYTES)} of texts "
        f"and {size(workbook.MOST_SHEET_BYTES)} of each sheet",
        f"the file would become more than {n(template_reader.MOST_CONTEXTS)} DSRs, or the cells that say what rows "
        f"are about differ in more than {n(template_reader.MOST_GROUPS)} ways",
    ],
    "docs/folders.md": [
        f"`DSRHUB_FOLDER_REST_SECONDS` ({default('FOLDER_REST_SECONDS')})",
        f"`DSRHUB_FOLDER_PAUSE_SECONDS` ({default('FOLDER_PAUSE_SECONDS')})",
        f"A look lists up to {n(watching.MOST_FILES)} files and imports up to {watching.MOST_DELIVERIES} deliveries",
        f"The page reads up to {folders.FOLDERS_ON_A_PAGE} folders at the same time, "
        f"and waits at most {folders.SECONDS} seconds",
        f"the last {contents.SHOWN_DELIVERIES} refused deliveries",
        f"the last {contents.SHOWN_DELIVERIES} imported deliveries",
        f"looks through the last {contents.SEARCHED_DELIVERIES} deliveries of each kind",
        f"after {delivering.FIRST_PAUSE} seconds, then after twice as long each time, "
        f"at most {spoken(delivering.LONGEST_PAUSE)}",
        f"is refused after {delivering.MOST_TRIES} tries",
    ],
    "docs/subscriptions.md": [
        f"longer than {size(files.LONGEST_LINE)}",
        f"more than {INTEGER_DIGITS} digits before or {DECIMALS} digits after the decimal point",
        f"more than {events.LARGEST_INTEGER.bit_length() + 1} bits, or a year before {events.FIRST_YEAR} "
        f"or after {events.LAST_YEAR}",
        f"has more than {events.LONGEST_ID} characters",
        f"`DSRHUB_RECORDS_BYTES` ({default_size('RECORDS_BYTES')}) and {n(ingestion.MOST_RECORDS)} records",
        f"the number of problems and the first {loading.PROBLEM_LIMIT}",
        f"as many records as fit into an operation ({size(BODY_LIMIT)})",
        f"works on {word(bodies.RECORDS_AT_ONCE)} requests with records at a time",
        f"would wait more than {spoken(int(ingestion.LOCK_TIMEOUT.removesuffix('s')))} for another writer",
        f"`id` (at most {n(MOST_IDS)} ids",
        f"the first {usage_imports.PREVIEW_RECORDS} records",
        f"the first {loading.PROBLEM_LIMIT} problems",
        f"more than {n(exports.MOST_ROWS)} rows, or more than {exports.SECONDS} seconds to find them",
        f"A download breaks off if it takes more than {spoken(exports.KEPT_FOR)}",
        f"shows the usage of the {word(usage_start.DAYS)} days that end with the last one",
        f"If adding up takes more than {spoken(usage_start.SECONDS)}",
        f"deletes up to {n(usage_pages.MOST_COUNTED)} at once",
        f"the page shows {usage_forms.LATEST_DAYS} days",
        f"A range has at most {usage_forms.MOST_DAYS} days",
        f"A page has {over_limit.SUBSCRIPTIONS_ON_A_PAGE} subscriptions, "
        f"and the chart shows its first {over_limit.MOST_BARS} rows",
        f"if the range has at most {usage_forms.MOST_DAYS} days",
        f"A question that takes more than {usage_questions.QUESTION_SECONDS} seconds is stopped",
        f"{usage_forms.LATEST_DAYS} days up to its latest usage",
        f"A page has {n(pages.PAGE_LIMIT)} rows, or `limit`",
        f"the whole answer is stored for {spoken(exports.KEPT_FOR)}",
        f"It has at most {n(exports.MOST_ROWS)} rows",
        f"Readers wait at most {spoken(int(partitions.DROP_LOCK_TIMEOUT.removesuffix('ms')) / 1000)} for a purge",
    ],
    "docs/integration.md": [f"of up to {n(ingestion.MOST_RECORDS)} records"],
    "docs/webhooks.md": [
        f"There can be {webhooks.MOST_WEBHOOKS} webhooks",
        f"A worker looks for gaps every {spoken(worker_command.GAPS_PAUSE)}, in the last {coverage.MOST_MONTHS} months",
        f"For {spoken(webhooks.OLD_SECRET_VALID)}, both secrets sign each event",
        f"Answer within {sending.ANSWER_SECONDS} seconds",
        "after about {} seconds, {} and {} minutes, {}, {}, {}, {}, {} and {} hours".format(
            int(FIRST_PAUSES[0].total_seconds()),
            *MINUTES_OF_PAUSES[1:3],
            *(minutes // 60 for minutes in MINUTES_OF_PAUSES[3:]),
            int(LAST_PAUSE / timedelta(hours=1)),
        ),
        f"each pause is up to a {FRACTIONS.get(webhook_delivering.JITTER)} longer",
        f"the pause is at least as long, up to {spoken(sending.LONGEST_PAUSE)}",
        f"subject for {spoken(webhook_delivering.HOLD)} after its first failure",
        f"nothing is sent to the webhook for {spoken(webhook_delivering.REST)}",
        f"doubles this pause, up to {spoken(webhook_delivering.LONGEST_REST)}",
        f"When every attempt has failed for {spoken(webhook_delivering.PATIENCE)}",
        f"the last {webhook_delivering.MOST_ANSWERS} answers: "
        f"the status and the first {n(sending.LONGEST_ANSWER)} characters",
        f"`DSRHUB_WEBHOOK_DAYS` days ({default('WEBHOOK_DAYS')})",
        f"{word(running.THREADS)} webhooks at a time. It finds a new event within {spoken(running.PAUSE)}",
    ],
    "docs/graphql.md": [
        f"| cost | {default_n('GRAPHQL_COST')} (`DSRHUB_GRAPHQL_COST`)",
        f"| levels of nested fields | {default('GRAPHQL_DEPTH')} (`DSRHUB_GRAPHQL_DEPTH`)",
        f"| tokens and comments of the query | {default_n('GRAPHQL_TOKENS')} each (`DSRHUB_GRAPHQL_TOKENS`)",
        f"| selections of the same place of the answer | {limits.REPETITIONS} |",
        f"| bytes of the body | {n(BODY_LIMIT)} |",
        f"| seconds for the whole operation | {default('GRAPHQL_SECONDS')} (`DSRHUB_GRAPHQL_SECONDS`)",
        f"| bytes of the texts in the answer | {size(execution.ANSWER_BYTES)} |",
        f"the size of a page, at most {connections.LARGEST_PAGE} and by default {connections.DEFAULT_PAGE}",
        f"A field with arguments costs {limits.QUERY_COST}",
        f"count `first` times ({connections.DEFAULT_PAGE} times without `first`)",
        f"inside a list without pages count {limits.LIST_LENGTH} times",
        f"where its texts have more than {size(PAGE_BYTES)}",
    ],
    "docs/settings.md": [
        f"A user name may fail {word(throttling.ADDRESSES_PER_NAME)} times as often",
        f"fail to sign in within {throttling.SIGN_IN_WINDOW // 60} minutes",
        f"and by default a new API key, {keys.MOST_DAYS} at most",
        f"All are counted, up to {n(problems.MOST_ERRORS)} errors",
    ],
    "docs/operation.md": [
        f"| up to {size(bodies.SMALL_BODY)} | everybody |",
        f"| up to {size(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)} | signed-in users |",
        f"| up to `DSRHUB_UPLOAD_LIMIT_BYTES` and {size(bodies.FORM_OVERHEAD)} for the form |",
        f"The head of a request and a body of up to {size(bodies.SMALL_BODY)} have {worker.ARRIVAL_SECONDS} seconds",
        f"Each process reads at most {word(bodies.LARGE_BODIES_AT_ONCE)} of them at a time",
        f"it reads at most {word(bodies.RECORDS_AT_ONCE)} requests with records",
        f"pauses for {worker.PAUSE_SECONDS} seconds, or is slower than {size(worker.SLOWEST_RATE)} per second",
        f"within {worker.SEND_SECONDS} seconds is cut off",
        f"A process accepts up to {n(WorkerConnections.default)} connections",
        f"`--threads` must be larger than {bodies.LARGE_BODIES_AT_ONCE + bodies.RECORDS_AT_ONCE}",
        f"a user has at most {tokens.MOST_SIGN_INS} of these",
        f"`DSRHUB_SIGN_IN_FAILURES` limits them within {throttling.SIGN_IN_WINDOW // 60} minutes",
        f"from all addresses ({word(throttling.ADDRESSES_PER_NAME)} times the limit)",
        f"where this user signed in within {throttling.KNOWN_FOR // (24 * 3600)} days",
        f"IPv6 counts by /{addresses.IPV6_NETWORK_BITS} network",
        f"if the database answers within {readiness.SECONDS} seconds",
        f"finishes those in progress (up to {gunicorn.graceful_timeout} seconds)",
        f"the top {warming.PERCENTILES[0]} and {warming.PERCENTILES[1]} % of each territory",
        f"and {spoken(warming.SECONDS)} at most",
        f"within {warming.STEP_SECONDS} seconds on a slow disk",
        f"A cell has at most {n(LONGEST_CELL)} bytes, and a page of lines or recordings ends at {size(PAGE_BYTES)}",
        f"An answer of GraphQL has at most {size(execution.ANSWER_BYTES)}",
        f"rankings of more than {FIRST_PIECE} recordings",
        f"and the newest DSR is {spoken(prepared.QUIET_FOR)} old",
    ],
    "docs/container.md": [f"requests in progress have {gunicorn.graceful_timeout} seconds to finish"],
    "docs/monitoring.md": [
        f"and at most {collectors.SECONDS} seconds",
        f"that nobody looked at for {RECENT.days} days",
        f"{n(MOST_MARKS)} at most",
    ],
    "docs/cluster.md": [
        f"by default over {word(cluster.SHARDS_OF_NODE)} for each node",
        f"missing for {arriving.COUNTED_WITHIN} seconds after their commit",
        f"Each is {word(gathering.BATCH_GROWTH)} times as large as the one before it",
    ],
    "docs/upgrading.md": [
        f"kept for {default('SUPERSEDED_DAYS')} days, at most {default_size('SUPERSEDED_BYTES')} of them",
        f"end a page after {size(PAGE_BYTES)} of text",
        f"of more than {size(bodies.SMALL_BODY)} need a signed-in user",
    ],
    "docs/reliability.md": [
        f"stops reading a file after {n(problems.MOST_ERRORS)} errors",
        f"a body of more than {size(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)}",
        f"have at most {size(PAGE_BYTES)} and one line",
        f"An answer of GraphQL ends at {size(execution.ANSWER_BYTES)}",
    ],
    "docs/decisions/duplicates.md": [f"spreads all names over {names.LOCKS} such locks"],
    "docs/decisions/exchange-rates.md": [
        f"first and last day included, rounded half-even to {rates.RATE_DECIMALS} decimals",
        f"divided by the rate, rounded half-even to {bounds.DECIMALS} decimals",
    ],
    "docs/decisions/import-queue.md": [
        f"After {queue.MOST_TRIES} tries that did not end",
        f"it has {import_pages.AT_ONCE_SECONDS} seconds",
    ],
    "docs/decisions/money.md": [
        f"An amount may have {INTEGER_DIGITS} digits before the point and {DECIMALS} behind it"
    ],
    "docs/decisions/partitions.md": [f"if more than {n(planner.FEW_CHANGES)} rows"],
    "docs/decisions/resource-identity.md": [f"and at least {n(resources.REBUILD_LINES)}, as in a first import"],
    "docs/decisions/top-percentile.md": [
        f"those that were not used for {spoken(cache.CACHED_FOR)}",
        f"It writes a row once {spoken(asked.REMEMBERED_FOR)} at most",
        f"The table has {n(asked.MOST_SCOPES)} rows at most",
        f"less than {spoken(prepared.QUIET_FOR)} ago",
        f"highest {n(threshold.ENOUGH_LINES)} lines come to less than {percent(threshold.LEAST_REACHED)} of the share",
        f"{percent(threshold.MOST_FROM_FLOOR)} of all lines would have to be read",
        f"more than {percent(threshold.MOST_LOOKUPS)} of the lines",
        f"{word(parts.PARTS_OF_WORKER)} parts for each worker",
        f"at least one for {parts.LINES_OF_PART // 10**6} million lines, up to {parts.MOST_PARTS}",
    ],
}


def told(name):
    """The text of a page in one line."""
    return " ".join((ROOT / name).read_text().split())


@pytest.mark.parametrize("name", LIMITS)
def test_the_numbers_of_a_page_are_those_of_the_code(name):
    text = told(name)
    assert [sentence for sentence in LIMITS[name] if sentence not in text] == []


# --- Nothing is missing ----------------------------------------------------------------------------------------

# Words with which a page states a limit.
LIMIT = re.compile(r"\b(?:at most|[Uu]p to|more than|longer than|the first|the last|within) [0-9][0-9,.]*(?! %)")
# Numbers that no constant of ours has, with the words around them.
OTHER_NUMBERS = {
    "docs/operation.md": {
        "if it has at most 64 letters": "the pattern of an id",
        "with up to 18 database connections": "tests/docs/test_blocks.py",
        "within 30 seconds. SIGKILL": "an attempt to connect and an answer, with time to spare",
    },
    "docs/container.md": {"with up to 18 database connections": "tests/docs/test_blocks.py"},
    "docs/graphql.md": {"has at most 32 bits": "GraphQL's Int"},
    "docs/monitoring.md": {
        "more than 1 %": "docs/monitoring/alerts.yml",
        "takes more than 10 seconds": "docs/monitoring/alerts.yml",
    },
    "docs/decisions/partitions.md": {"an import took more than 30 s": "measured"},
    "docs/decisions/top-percentile.md": {"three for up to 7": "PostgreSQL's number of workers"},
}
# What was measured is told as it was.
MEASURED = {"docs/reliability.md"}


@pytest.mark.parametrize("name", sorted(LIMITS.keys() - MEASURED))
def test_no_limit_of_a_page_is_left_out(name):
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text(), flags=re.DOTALL)
    text = " ".join(text.split())
    for sentence in [*LIMITS[name], *OTHER_NUMBERS.get(name, {})]:
        text = text.replace(sentence, "")
    assert [text[found.start() - 40 : found.end() + 40] for found in LIMIT.finditer(text)] == []


def test_the_page_of_settings_names_the_largest_values():
    largest = dict(re.findall(r'env_int\(\s*"(\w+)",[^)]*maximum=([0-9_]+)\)', SOURCE))
    assert len(largest) > 5
    rows = {line.split("`")[1]: line for line in (ROOT / "docs/settings.md").read_text().splitlines() if "| `" in line}
    assert [name for name, most in largest.items() if f"{int(most)} at most" not in rows[name]] == []
    assert "from 1 KiB to 64 MiB" in rows["DSRHUB_RECORDS_BYTES"]
    assert "minimum=1024, maximum=64 * 1024**2)" in SOURCE
