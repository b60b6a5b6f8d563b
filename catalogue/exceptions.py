"""What can be wrong with a delivery or a question about DSRs."""

from dsrhub.exceptions import ConflictError, DsrhubError, NotFoundError, NotReadyError


class InvalidReportName(DsrhubError):
    """A file name gives no known DSP, territory, currency and period: there is no DSR to speak of."""

    code = "invalid_report_name"


class ReportRefused(DsrhubError):
    """A report has errors, and nothing of it was loaded.

    `extra` has `error_count` and `warning_count`, the `problems` that are kept, and in `dsr` the id of the DSR that
    failed.
    """

    code = "report_refused"


class DSRExists(ConflictError):
    """Another content stands under the same key, and its replacement was not asked for."""

    code = "dsr_exists"


class DSRNotFound(NotFoundError):
    """No DSR has this id."""

    code = "dsr_not_found"


class ExchangeRateMissing(DsrhubError):
    """The ECB has never published a rate of a currency."""

    code = "exchange_rate_missing"


class ExchangeRateIncomplete(DsrhubError):
    """The loaded ECB history does not have every rate of a currency in a period."""

    code = "exchange_rate_incomplete"


class InvalidRateFile(DsrhubError):
    """A file is not an ECB history of euro reference rates."""

    code = "invalid_rate_file"


class InvalidRate(DsrhubError):
    """An operator's rate that cannot be one."""

    code = "invalid_rate"


class SearchTooWide(DsrhubError):
    """More resources would have to be added up than an answer may take."""

    code = "search_too_wide"


class RankingNotReady(NotReadyError):
    """A ranking could not be made in the time there was. It is being made by a worker now."""

    code = "ranking_not_ready"


class ImportJobChanged(ConflictError):
    """An import job is in another state than the one that was seen, so what was asked for makes no sense any more."""

    code = "import_job_changed"


class ReplacementNotChosen(ConflictError):
    """There is an earlier delivery of the same report, and nobody said that it may be replaced."""

    code = "replacement_not_chosen"
