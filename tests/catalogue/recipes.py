"""Recipes of model-bakery for the rows of the catalogue. Lines are added through the services instead: see helpers.

Choices are fixed, because random values would violate the constraints of the tables.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.utils import timezone
from model_bakery.recipe import Recipe, foreign_key

from catalogue.models import (
    DSR,
    DropFolder,
    EcbRate,
    ImportJob,
    LeftoverLines,
    OperatorRate,
    PartyAlias,
    RateChange,
    RateMethod,
    RejectedDelivery,
    ReportMessage,
    ReportProblem,
    Resource,
    RevenueKind,
    Template,
    TemplateVersion,
    UseTypeTotal,
)
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.validation import definition_checked
from tests.catalogue.helpers import NO_JANUARY
from tests.catalogue.reports.formats.templates.definitions import TONBANK


def make_many(recipe: Recipe, count: int, **values: Any) -> list[Model]:
    """Many rows by one statement. Values are the same for all rows, or iterators.

    With `_bulk_create`, a recipe would read the territory and the currency of each row.
    """
    rows = recipe.prepare(_quantity=count, **values)
    return type(rows[0])._default_manager.bulk_create(rows)


# Ingested, of NO_JANUARY, and without lines.
dsr = Recipe(
    DSR,
    path=NO_JANUARY,
    dsp="Spotify",
    offer="SpotifyDuo",
    territory_id="NO",
    currency_id="NOK",
    period_start=date(2020, 1, 1),
    period_end=date(2020, 1, 31),
    status=DSR.Status.INGESTED,
    sha256=64 * "0",
    exchange_rate=Decimal("9.9384227272727272727272727272727272727273"),
    rate_method=RateMethod.ECB_MEAN,
    rate_source="ECB reference rates of 22 days, 2020-01-02 to 2020-01-31",
)
failed_dsr = dsr.extend(status=DSR.Status.FAILED, sha256=None, exchange_rate=None, rate_method="", rate_source="")
message = Recipe(
    ReportMessage,
    format="DDEX",
    sender_name="Tonbank",
    sender_id="",
    recipient_name="",
    recipient_id="",
    message_id="MSG-1",
    created="",
    profile="BasicAudioProfile",
    profile_version="1.4",
    period_start=date(2020, 1, 1),
    period_end=date(2020, 1, 31),
    files=[{"name": "message.tsv", "sha256": 64 * "0"}],
)
use_type_total = Recipe(
    UseTypeTotal,
    dsr=foreign_key(dsr),
    use_type="OnDemandStream",
    line_count=1,
    blank_isrc_count=0,
    total_usages=Decimal(1),
    total_revenue=Decimal(1),
)
told_message = message.extend(
    sender_id="PADPIDA2026000001A",
    recipient_name="SocietyX",
    recipient_id="PADPIDA2026000002B",
    files=[{"name": NO_JANUARY, "sha256": 64 * "0"}],
)
dsr_of_message = dsr.extend(
    message=foreign_key(told_message),
    society="SocietyX",
    commercial_model="SubscriptionModel",
    summary_id="1",
    declared_revenue=Decimal(0),
    unallocated_revenue=Decimal(0),
    revenue_kind=RevenueKind.ALLOCATED,
)
party_alias = Recipe(PartyAlias, role=PartyAlias.Role.DSP, party_name="Spotify AB", known_as="Spotify")
problem = Recipe(ReportProblem, dsr=foreign_key(dsr), level=ReportProblem.Level.ERROR, code="not_a_number", line=None)
rate_change = Recipe(
    RateChange,
    dsr=foreign_key(dsr),
    old_rate=Decimal(1),
    old_method=RateMethod.ECB_MEAN,
    new_rate=Decimal(2),
    new_method=RateMethod.OPERATOR,
)
rejected_delivery = Recipe(RejectedDelivery, name="hello.tsv")

ecb_rate = Recipe(EcbRate, currency_id="NOK", day=date(2020, 1, 1), rate=Decimal(9))
operator_rate = Recipe(
    OperatorRate,
    currency_id="NOK",
    period_start=date(2020, 1, 1),
    period_end=date(2020, 1, 31),
    rate=Decimal("9.5"),
)

resource = Recipe(Resource, dsp="Spotify", dsp_id="a", title=None, artists=None, isrc=None)
lines_to_drop = Recipe(LeftoverLines, dsr_number=1, partition=0, dsp="Spotify", is_catalogued=False)
drop_folder = Recipe(DropFolder, address="/incoming", looked_at=timezone.now)
import_job = Recipe(
    ImportJob, upload="some", name=NO_JANUARY, stored_name="stored", size=1, state=ImportJob.State.TO_CHECK
)
template = Recipe(Template, name="Tonbank", is_active=True, version_number=1)
template_version = Recipe(
    TemplateVersion, template=foreign_key(template), number=1, definition=definition_json(definition_checked(TONBANK))
)
