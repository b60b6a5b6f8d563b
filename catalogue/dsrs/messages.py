"""Questions about messages: lists of them, and what belongs to each message of a page, by a fixed number of queries.

The problems of a message are those of the message as a whole, and those of its DSRs. All of them are warnings.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import BigIntegerField, Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce

from catalogue.dsrs.selectors import dsrs_by_id
from catalogue.exceptions import MessageNotFound
from catalogue.models import DSR, ReportMessage, ReportProblem
from dsrhub.database.statements import rows_of
from dsrhub.texts.marked import gettext_lazy as _


def messages_described() -> QuerySet[ReportMessage]:
    """The messages in no order, with `dsr_count` and `all_warning_count`, which includes the warnings of the DSRs."""
    # Subqueries, not a join: only the messages of a page are counted.
    dsrs = DSR.objects.filter(message=OuterRef("pk")).order_by().values("message")
    warnings = Subquery(dsrs.annotate(sum=Cast(Sum("warning_count"), BigIntegerField())).values("sum"))
    return ReportMessage.objects.order_by().annotate(
        dsr_count=Coalesce(Subquery(dsrs.annotate(count=Count("pk")).values("count")), 0),
        all_warning_count=F("warning_count") + Coalesce(warnings, 0),
    )


def message_list(*, after: int | None, limit: int) -> list[ReportMessage]:
    """The next `limit` messages behind an id, or the first ones."""
    messages = messages_described()
    following = messages if after is None else messages.filter(pk__gt=after)
    return list(following.order_by("pk")[:limit])


def message_get(*, message_number: int) -> ReportMessage:
    """Raises MessageNotFound."""
    message = messages_described().filter(pk=message_number).first()
    if message is None:
        raise MessageNotFound(_("There is no message %(id)s.") % {"id": message_number}, id=message_number)
    return message


def messages_by_id(ids: Iterable[int]) -> Mapping[int, ReportMessage]:
    """The messages that are there."""
    return messages_described().in_bulk(set(ids))


def message_details(*, message_number: int) -> ReportMessage:
    """A message with the ids of its DSRs as `dsr_numbers`. Raises MessageNotFound."""
    message = message_get(message_number=message_number)
    message.dsr_numbers = list(message.dsrs.order_by("pk").values_list("pk", flat=True))  # type: ignore[attr-defined]
    return message


DSRS = """
SELECT message.id, dsr.id
FROM unnest(%(messages)s::bigint[]) AS message (id) CROSS JOIN LATERAL (
    SELECT id FROM catalogue_dsr
    WHERE message_id = message.id AND (%(after)s IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s
) AS dsr
ORDER BY message.id, dsr.id
"""


def dsrs_by_message(messages: Sequence[ReportMessage], *, after: int | None, limit: int) -> Mapping[int, list[DSR]]:
    """The next `limit` DSRs of each message behind the DSR with id `after`, as `dsrs_by_id` describes them."""
    rows = rows_of(DSRS, messages=[message.pk for message in messages], after=after, limit=limit)
    dsrs = dsrs_by_id(number for _, number in rows)
    by_message = defaultdict(list)
    for message_number, number in rows:
        if number in dsrs:  # Else it was deleted meanwhile.
            by_message[message_number].append(dsrs[number])
    return by_message


# Problems hang on a message or on a DSR, so an index finds either kind.
OF_MESSAGE = """
    SELECT problem.* FROM catalogue_reportproblem AS problem WHERE problem.message_id = message.id
    UNION ALL
    SELECT problem.* FROM catalogue_dsr AS dsr JOIN catalogue_reportproblem AS problem ON problem.dsr_id = dsr.id
    WHERE dsr.message_id = message.id
"""
PROBLEMS = f"""
SELECT message.id AS of_message, problem.*
FROM unnest(%(messages)s::bigint[]) AS message (id) CROSS JOIN LATERAL (
    SELECT * FROM ({OF_MESSAGE}) AS problem WHERE (%(after)s IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s
) AS problem
ORDER BY message.id, problem.id
"""  # noqa: S608 - no value is in it, here and below
PROBLEM_COUNTS = f"""
SELECT message.id, count(*)
FROM unnest(%(messages)s::bigint[]) AS message (id) CROSS JOIN LATERAL ({OF_MESSAGE}) AS problem
GROUP BY message.id
"""  # noqa: S608


def problems_by_message(
    messages: Sequence[ReportMessage], *, after: int | None, limit: int
) -> Mapping[int, list[ReportProblem]]:
    """The next `limit` problems of each message behind the problem with id `after`."""
    parameters = {"messages": [message.pk for message in messages], "after": after, "limit": limit}
    by_message = defaultdict(list)
    for problem in ReportProblem.objects.raw(PROBLEMS, parameters):
        by_message[problem.of_message].append(problem)  # type: ignore[attr-defined]
    return by_message


def problem_counts_by_message(messages: Sequence[ReportMessage]) -> Mapping[int, int]:
    """The number of kept problems of each message."""
    return dict(rows_of(PROBLEM_COUNTS, messages=[message.pk for message in messages]))
