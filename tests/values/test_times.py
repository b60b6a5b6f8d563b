"""Times as RFC 3339 and carriers write them. The expected values are by hand, or from its section 5.8."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dsrhub.values.times import parsed_time

EAST = timezone(timedelta(hours=1, minutes=30))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, UTC)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57, 0, UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870_000, UTC)),
        ("2026-01-05T12:00:00.123456789Z", datetime(2026, 1, 5, 12, 0, 0, 123_456, UTC)),
        ("2026-01-31T23:59:59.999999999Z", datetime(2026, 1, 31, 23, 59, 59, 999_999, UTC)),
        ("2026-01-05T12:00:00.1234567890123Z", datetime(2026, 1, 5, 12, 0, 0, 123_456, UTC)),
        ("2026-01-05t12:00:00z", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05 12:00:00z", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05T12:00:00+0000", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05T12:00:00-00:00", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05 12:00:00+00", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05T12:00:00+0130", datetime(2026, 1, 5, 12, tzinfo=EAST)),
        ("2026-01-05T12:00+01:30", datetime(2026, 1, 5, 12, tzinfo=EAST)),
        ("2026-01-05T12:00", datetime(2026, 1, 5, 12)),  # noqa: DTZ001
    ],
)
def test_a_time(text, expected):
    assert parsed_time(text) == expected
    assert (parsed_time(text).tzinfo is None) == (expected.tzinfo is None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-05",
        "2026-01-05T12",
        "20260105T120000Z",
        "2026-W02-1T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T12:60:00Z",
        "2026-01-05T12:00:60Z",
        "2026-01-05T12:00:00.Z",
        "2026-01-05T12:00:00,5Z",
        "2026-01-05T12:00:00+24:00",
        "2026-01-05T12:00:00+1:30",
        "2026-01-05T12:00:00 +01:30",
        "2026-01-05T12:00:00Z ",
        "2026-01-05T12:00:00Z\n",
        "2026-01-05\u00a012:00:00Z",
        "٢٠٢٦-01-05T12:00:00Z",
    ],
)
def test_what_is_no_time(text):
    assert parsed_time(text) is None
