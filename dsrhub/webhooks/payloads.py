"""What each type of event has as its `data`: services make it from here, as `manage.py asyncapi` makes its document.

Receivers ignore properties that they do not know: new ones may be added.
"""

from typing import Annotated, Any, NotRequired, TypedDict

from dsrhub.webhooks.models import TEST_EVENT, EventType


class About:
    """What the document says of a property beside its type: a description, and keywords of JSON schemas."""

    def __init__(self, description: str = "", **keywords: Any) -> None:
        self.schema = {"description": description, **keywords} if description else keywords


Id = Annotated[int, About(minimum=1)]
Replaced = Annotated[list[Id], About("The ids of the DSRs that stood before.")]
MONTH = About("A month, such as 2026-01.", pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")


class Delivered(TypedDict):
    """The DSRs of one delivery."""

    dsrs: Annotated[list[Id], About("The ids of all DSRs of the delivery.")]
    name: Annotated[str, About("The name of the delivered file, or of the first one of a message.")]
    dsp: Annotated[str, About("The DSP of the DSRs.")]
    message: Annotated[int | None, About("The id of the message, if it was one.")]


class Replacing(Delivered):
    """The DSRs of a delivery, and those in whose place they are."""

    replaced: Replaced


class Returned(Delivered):
    """Earlier versions of DSRs, and those in whose place they are, if any."""

    replaced: NotRequired[Replaced]


class Failed(TypedDict):
    """A delivery that was refused."""

    dsrs: Annotated[list[Id], About("The id of the failed DSR. Empty, if the delivery became no DSR.")]
    name: Annotated[str, About("The name of the delivered file, or of the first one of a message.")]
    dsp: Annotated[str | None, About("The DSP of the failed DSR.")]
    code: Annotated[str, About("Why it was refused, for programs.")]
    error_count: Annotated[int, About("How many errors were found. A refusal that is none of the problems is one.")]
    warning_count: Annotated[int, About("How many warnings were found.")]
    problems: Annotated[list[str], About("The codes of the first errors.")]


class Missing(TypedDict):
    """A month of a series without a DSR."""

    dsp: Annotated[str, About("The DSP of the series.")]
    offer: Annotated[str, About("The commercial offer of the series.")]
    society: Annotated[str | None, About("The society of the series.")]
    territory: Annotated[str, About("The code of the territory, such as NO.")]
    currency: Annotated[str, About("The code of the currency, such as NOK.")]
    month: Annotated[str, MONTH]
    state: Annotated[str, About("What the month is.", enum=["missing", "late"])]


class Crossing(TypedDict):
    """A price limit that a subscription reached."""

    crossing: Annotated[int, About("The id of the crossing.")]
    subscription: Annotated[int, About("The id of the subscription.")]
    usage_type: Annotated[str, About("What the price is for.", enum=["data", "voice"])]
    span: Annotated[str, About("Whether the limit is one of each month, or of all time.", enum=["month", "total"])]
    month: Annotated[str | None, MONTH]
    day: Annotated[str, About("The day on which the price reached the limit.", format="date")]
    price_limit: Annotated[str, About("The limit: an exact decimal number.", pattern=r"^[0-9]+(\.[0-9]+)?$")]
    limit_of: Annotated[str, About("Whose limit it is.", enum=["subscription", "carrier", "all"])]


class Trial(TypedDict):
    """An event that tells nothing."""

    webhook: Annotated[int, About("The id of the webhook.")]


# When an event is sent, and its data.
PAYLOADS: dict[str, tuple[str, type]] = {
    EventType.DSR_INGESTED.value: ("A delivery was imported: a report, or a message.", Delivered),
    EventType.DSR_REPLACED.value: ("A delivery was imported in place of earlier DSRs.", Replacing),
    EventType.DSR_REVERTED.value: ("Earlier versions of DSRs returned.", Returned),
    EventType.DSR_DELETED.value: ("DSRs were deleted, or dropped because a new message lacks them.", Delivered),
    EventType.DSR_FAILED.value: ("A delivery was refused, and its problems are kept.", Failed),
    EventType.REPORT_MISSING.value: ("A month of a series is missing or late.", Missing),
    EventType.LIMIT_REACHED.value: ("A subscription reached a price limit.", Crossing),
    EventType.LIMIT_WITHDRAWN.value: ("That a subscription reached a price limit is no longer so.", Crossing),
    TEST_EVENT: ("Somebody sent a test event.", Trial),
}
