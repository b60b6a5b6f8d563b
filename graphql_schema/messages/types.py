"""The types of messages and their files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import graphene
from graphql import GraphQLResolveInfo

from catalogue import models
from catalogue.dsrs import messages as message_selectors
from graphql_schema.batches import batched, load_batch
from graphql_schema.connections import Key, Keyset, KeysetField, memory_keyset
from graphql_schema.dsrs.types import DSR, Problem
from graphql_schema.model_types import ModelType
from graphql_schema.scalars import BigInt


@dataclass
class DeliveredFile:
    number: int
    name: str
    sha256: str


class MessageFile(graphene.ObjectType):
    """A file of a message."""

    number = graphene.Int(required=True, description="The number of the file in the message, from 1.")
    name = graphene.String(required=True, description="The name of the file as delivered.")
    sha256 = graphene.String(required=True, description="The SHA-256 hash of the unpacked content.")


def _optional(name: str, description: str) -> graphene.Field:
    """A text that is null where it is blank."""

    def resolve(message: models.ReportMessage, info: GraphQLResolveInfo) -> str | None:
        return getattr(message, name) or None

    return graphene.Field(graphene.String, resolver=resolve, description=description)


class Message(ModelType):
    """A delivered message of a music service: one or more files. Each of its sales contexts is a DSR.

    A field without a value is null.
    """

    class Meta:
        model = models.ReportMessage
        fields = {
            "id": "The id, the same as in REST.",
            "format": "The format, such as DDEX.",
            "sender_name": "The name of the sender.",
            "message_id": "The id that the sender gives the message.",
            "profile": "The profile of the format.",
            "profile_version": "The version of the profile.",
            "period_start": "The first day of the period.",
            "period_end": "The last day of the period (inclusive).",
            "imported_at": "The time of the import.",
        }

    sender_id = _optional("sender_id", "The party id (DPID) of the sender.")
    recipient_name = _optional("recipient_name", "The name of the recipient.")
    recipient_id = _optional("recipient_id", "The party id (DPID) of the recipient.")
    created = _optional("created", "The time of creation, as the sender wrote it.")
    dsr_count = graphene.Int(required=True, description="The number of DSRs.")
    warning_count = BigInt(
        required=True, description="The number of warnings of the message as a whole and of its DSRs."
    )
    files = KeysetField(MessageFile, description="The files in their order.")
    dsrs = KeysetField(DSR, description="The DSRs of the message, ordered by id.")
    problems = KeysetField(
        Problem,
        description="The warnings of the message as a whole, then those of its DSRs. "
        "If there are very many, only the first are kept.",
    )

    @staticmethod
    def resolve_warning_count(message: models.ReportMessage, info: GraphQLResolveInfo) -> int:
        count: int = message.all_warning_count  # type: ignore[attr-defined] # of `messages_described`
        return count

    @staticmethod
    def resolve_files(message: models.ReportMessage, info: GraphQLResolveInfo) -> Keyset:
        files = [
            DeliveredFile(number, file["name"], file["sha256"]) for number, file in enumerate(message.files, start=1)
        ]
        return memory_keyset("file", files, number=int)

    @staticmethod
    def resolve_dsrs(message: models.ReportMessage, info: GraphQLResolveInfo) -> Keyset:
        return Keyset(
            "DSR of a message",
            (int,),
            partial(load_dsrs, message),
            lambda dsr: (dsr.pk,),
            lambda: message.dsr_count,  # type: ignore[attr-defined]
        )

    @staticmethod
    def resolve_problems(message: models.ReportMessage, info: GraphQLResolveInfo) -> Keyset:
        return Keyset(
            "problem of a message",
            (int,),
            partial(load_problems, message),
            lambda problem: (problem.pk,),
            partial(load_problem_count, message),
        )


def load_dsrs(message: models.ReportMessage, after: Key | None, limit: int) -> list[models.DSR]:
    number = after[0] if after else None
    return load_batch(message, ("dsrs", number, limit), partial(_dsrs, after=number, limit=limit)).get(message.pk, [])


def load_problems(message: models.ReportMessage, after: Key | None, limit: int) -> list[models.ReportProblem]:
    number = after[0] if after else None
    loader = partial(message_selectors.problems_by_message, after=number, limit=limit)
    return load_batch(message, ("problems", number, limit), loader).get(message.pk, [])


def load_problem_count(message: models.ReportMessage) -> int:
    return load_batch(message, "problem count", message_selectors.problem_counts_by_message).get(message.pk, 0)


def _dsrs(messages: Sequence[models.ReportMessage], *, after: int | None, limit: int) -> Mapping[int, list[models.DSR]]:
    by_message = message_selectors.dsrs_by_message(messages, after=after, limit=limit)
    batched([dsr for dsrs in by_message.values() for dsr in dsrs])
    return by_message
