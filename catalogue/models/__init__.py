"""The tables of the catalogue."""

from catalogue.models.currencies import Currency, EcbRate, OperatorRate, RateMethod, Territory
from catalogue.models.dsrs import (
    DSR,
    SHARED_PARTITION,
    AbstractDSR,
    RateChange,
    RejectedDelivery,
    ReportProblem,
    RevenueKind,
    ToldGap,
    UseTypeTotal,
)
from catalogue.models.folders import DropFolder
from catalogue.models.jobs import ImportJob, ImportJobManager
from catalogue.models.lines import IncomingLines, LeftoverLines, Resource, UsageLine
from catalogue.models.messages import AbstractMessage, PartyAlias, ReportMessage
from catalogue.models.rankings import AskedScope, KeptArtists, KeptRanking, WantedArtists, WantedRanking
from catalogue.models.templates import Template, TemplateVersion
from catalogue.models.versions import DSRDifference, SupersededDSR, SupersededManager, SupersededMessage

__all__ = [
    "DSR",
    "SHARED_PARTITION",
    "AbstractDSR",
    "AbstractMessage",
    "AskedScope",
    "Currency",
    "DSRDifference",
    "DropFolder",
    "EcbRate",
    "ImportJob",
    "ImportJobManager",
    "IncomingLines",
    "KeptArtists",
    "KeptRanking",
    "LeftoverLines",
    "OperatorRate",
    "PartyAlias",
    "RateChange",
    "RateMethod",
    "RejectedDelivery",
    "ReportMessage",
    "ReportProblem",
    "Resource",
    "RevenueKind",
    "SupersededDSR",
    "SupersededManager",
    "SupersededMessage",
    "Template",
    "TemplateVersion",
    "Territory",
    "ToldGap",
    "UsageLine",
    "UseTypeTotal",
    "WantedArtists",
    "WantedRanking",
]
