"""Bodies of usage records in every form, compared with an independent reading of what was accepted."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from random import Random
from typing import Any

from django.db import connection
from django.test import Client

from subscriptions.models import Subscription
from tests.faults.hostile.rest import assert_explained
from tests.faults.hostile.trial import Requests
from tests.faults.hostile.values import changed_bytes, json_value, packed, raw_json, text
from tests.subscriptions import recipes

PATH = "/subscriptions/records/"
EXACT = Context(prec=400)
STORED = "SELECT count(*), coalesce(sum(price), 0) FROM {table}"
TABLES = {"kilobytes_used": "subscriptions_datausagerecord", "seconds_used": "subscriptions_voiceusagerecord"}
PRICES: list[Any] = ["1.50", "0", "-2.25", "0.000000000001", "12345678901234567890.123456789", 3, 0.5]


class RecordRequests(Requests):
    """`POST /subscriptions/records/`."""

    share = 4

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._numbers = [
            *(Subscription.objects.values_list("pk", flat=True)[:2] or (recipes.subscription.make().pk for _ in "ab"))
        ]

    def try_with(self, random: Random, case: list[object]) -> str:
        media_type, content = self._body(random)
        headers, sent = {}, content
        if random.random() < 0.3:
            headers["content-encoding"], sent = "gzip", packed(random, content)
        query = random.choice(["", "", "", "partial=true", "backfill=true", "partial=x", "partial=true&backfill=true"])
        case += [media_type, query, headers, content, sent[:200]]
        with self.undone():
            before = stored()
            response = self.client.generic("POST", PATH, sent, media_type, QUERY_STRING=query, headers=headers)
            answer = self.check(response)
            added = {name: (count - before[name][0], EXACT.subtract(price, before[name][1]))
                     for name, (count, price) in stored().items()}  # fmt: skip
            if response.status_code < 400:
                self._compare(answer, added, media_type, _unpacked(sent) if headers else sent)
            else:
                _assert_refused(answer)
        return str(response.status_code)

    def _compare(
        self, answer: dict[str, Any], added: dict[str, tuple[int, Decimal]], media_type: str, content: bytes
    ) -> None:
        """What was accepted is what an independent reader finds."""
        records = read(media_type, content)
        assert answer["added"] == sum(count for count, _ in added.values())
        assert answer["added"] + answer["repeated"] + answer["refused"] == len(records)
        for result in answer.get("results", []):
            if result["outcome"] == "refused":
                assert all(result["problem"][part] for part in ("code", "message")), result
        if "results" in answer:
            new = [result["position"] for result in answer["results"] if result["outcome"] == "added"]
            records = [records[position - 1] for position in new]
        expected = {name: (0, Decimal(0)) for name in TABLES}
        seen = set()
        for record in records:
            key = (int(record["subscription_id"]), record.get("external_id"))
            (name,) = TABLES.keys() & record.keys()
            if key[1] is None or (name, key) not in seen:
                seen.add((name, key))
                count, price = expected[name]
                expected[name] = count + 1, EXACT.add(price, Decimal(str(record["price"])))
        assert added == expected

    # --- Making bodies -----------------------------------------------------------------------------------------

    def _body(self, random: Random) -> tuple[str, bytes]:
        records = [self._record(random, number) for number in range(random.choice([0, 1, 1, 2, 3, 5, 150]))]
        form = random.choice(sorted(WRITERS))
        is_changed = random.random() < 0.65
        if is_changed and records and form != "text/csv" and random.random() < 0.6:
            at = random.randrange(len(records))
            name = random.choice([*records[at], text(random)])
            records[at] = records[at] | {name: random.choice([json_value(random), text(random), Raw(raw_json(random))])}
        content = WRITERS[form](records)
        if is_changed and random.random() < 0.4:
            content = changed_bytes(random, content)
        return form, content

    def _record(self, random: Random, number: int) -> dict[str, Any]:
        amount = random.choice(["kilobytes_used"] * 3 + ["seconds_used"])
        found = {
            "subscription_id": random.choice(self._numbers),
            "usage_date": f"2026-01-{random.randint(1, 28):02}T12:00:00Z",
            "price": random.choice(PRICES),
            amount: random.choice([0, 1, 2048, 2**63 - 1]),
        }
        return found | ({"external_id": f"e-{random.randrange(number + 1)}"} if random.random() < 0.5 else {})


class Raw(str):
    """A value that is written as it is."""

    __slots__ = ()


def _written(value: Any) -> str:
    """JSON with raw parts. Lone surrogates are written as escapes."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_written(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value)


def _json(records: list[Any]) -> bytes:
    data = records[0] if len(records) == 1 else records
    return _written(data).encode(errors="surrogatepass")


def _lines(records: list[Any]) -> bytes:
    return "\n".join(map(_written, records)).encode(errors="surrogatepass")


def _events(records: list[Any]) -> bytes:
    attributes = {"specversion": "1.0", "source": "/meter", "type": "usage"}
    events = [
        attributes | {"id": record.get("external_id", f"i-{number}"), "data": record}
        for number, record in enumerate(records)
    ]
    return _written(events).encode(errors="surrogatepass")


def _columns(delimiter: str) -> Callable[[list[Any]], bytes]:
    def write(records: list[Any]) -> bytes:
        names = ["subscription_id", "usage_date", "price", "kilobytes_used", "external_id"]
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow(names)
        for record in records:
            if "kilobytes_used" in record:
                writer.writerow([record.get(name, "") for name in names])
        return out.getvalue().encode(errors="surrogatepass")

    return write


WRITERS: dict[str, Callable[[list[Any]], bytes]] = {
    "application/json": _json,
    "application/x-ndjson": _lines,
    "application/jsonl": _lines,
    "application/cloudevents-batch+json": _events,
    "text/csv": _columns(","),
    "text/tab-separated-values": _columns("\t"),
}


# A body of these is read as a whole. Of others, a line that cannot be decoded is refused alone.
WHOLE = {"application/json", "application/cloudevents-batch+json"}


# --- The independent reader ------------------------------------------------------------------------------------


def stored() -> dict[str, tuple[int, Decimal]]:
    with connection.cursor() as cursor:
        found = {}
        for name, table in TABLES.items():
            cursor.execute(STORED.format(table=table))
            found[name] = cursor.fetchone()
    return found


def _unpacked(data: bytes) -> bytes:
    return gzip.decompress(data)


def read(media_type: str, content: bytes) -> list[dict[str, Any]]:
    """The records of an accepted body; one that is not readable has no properties, and must have been refused.

    Blank external ids of columns are none.
    """
    text = content.decode("utf-8-sig", errors="strict" if media_type in WHOLE else "replace")
    if "json" in media_type and media_type not in ("application/x-ndjson", "application/jsonl"):
        data = _parsed(text)
        records = data if isinstance(data, list) else [data]
        return [_of_event(one) for one in records] if "cloudevents" in media_type else records
    if "json" in media_type:
        return [_parsed_line(line) for line in text.replace("\r", "\n").split("\n") if line.strip()]
    delimiter = "," if media_type == "text/csv" and "\t" not in text.split("\n")[0] else "\t"
    return list(_rows(text, delimiter))


def _parsed(text: str) -> Any:
    return json.loads(text.removeprefix("\ufeff"), parse_float=Decimal)


def _parsed_line(line: str) -> Any:
    try:
        return _parsed(line)
    except (ValueError, RecursionError):
        return {}


def _of_event(event: Any) -> Any:
    is_readable = isinstance(event, dict) and isinstance(event.get("data"), dict) and "id" in event
    return {"external_id": event["id"]} | event["data"] if is_readable else {}


def _rows(text: str, delimiter: str) -> Iterable[dict[str, Any]]:
    quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    names = [name.strip().lower() for name in next(lines)]
    rows = list(lines)
    # Blank lines at the end are no records. Others are, and are refused.
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    for cells in rows:
        found: dict[str, Any] = dict(zip(names, cells, strict=True)) if len(cells) == len(names) else {}
        yield {name: cell for name, cell in found.items() if name != "external_id" or cell.strip()}


def _assert_refused(answer: Any) -> None:
    assert_explained({key: part for key, part in answer.items() if key not in ("problems", "error_count")})
    for problem in answer.get("problems", []):
        # The header is at position 0, and the name of a property may be blank.
        assert all(problem[part] for part in ("code", "message")), problem
        assert "field" in problem
        assert problem["position"] >= 0
