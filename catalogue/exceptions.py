"""The errors of deliveries and of questions about DSRs."""

from dsrhub.exceptions import BusyError, ConflictError, DsrhubError, InvalidArgument, NotFoundError, NotReadyError


class DeliveryRefused(DsrhubError):
    """A delivery cannot be loaded as it is.

    `error_count` and `warning_count` are the true numbers of what its import found. A refusal that is none of the
    problems of the delivery is an error itself, so there is at least one.
    """

    error_count, warning_count = 1, 0


class InvalidReportName(DeliveryRefused):
    """A file does not say which DSRs it has: its DSP, a known territory and currency, and the period."""

    code = "invalid_report_name"


class FileNotRecognised(InvalidReportName):
    """No template recognises a file of columns.

    `extra` has the name of the nearest `template`, None if no template has a column of the file, and the required
    columns of this template that the file has not, as `missing_columns`.
    """

    code = "file_not_recognised"


class NoReportFound(DsrhubError):
    """None of the named paths, or not one of them, leads to a report. `extra` has what was `left_out`, and why."""

    code = "no_report_found"


class ClusterNotReady(ConflictError):
    """Lines cannot be spread over the nodes of a cluster: something is missing, or in the way."""

    code = "cluster_not_ready"


class LinesIncomplete(NotReadyError):
    """A node of the cluster stopped while it stored the lines of a delivery, and nothing was imported. Try again.

    `extra` has the id that the DSR would have had, as `dsr`.
    """

    code = "lines_incomplete"


class ReportRefused(DeliveryRefused):
    """A delivery has errors, and nothing of it was loaded.

    `extra` has `error_count` and `warning_count`, the kept `problems`, and in `dsr` the id of the failed DSR, if the
    delivery has only one.
    """

    code = "report_refused"


class DSRExists(ConflictError):
    """A DSR with the same key and different content exists, and its replacement was not asked for.

    `extra` has the `id` and the `path` of the first such DSR, and the `ids` of all.
    """

    code = "dsr_exists"


class NameLooksAlike(DeliveryRefused, ConflictError):
    """The name of a DSP, an offer or a society looks like another one that is known, and would count apart from it.

    `extra` has the `kind`, the `name` and the `known` name.
    """

    code = "name_looks_alike"


class MessageIdReused(ConflictError):
    """A sender used the id of an imported message for other content, or what is left of that message would stay.

    `extra` has the `message_id`, and the `ids` of the DSRs that are in the way.
    """

    code = "message_id_reused"


class RenameCollides(ConflictError):
    """Under another name, DSRs would have the keys of others. `extra` has `pairs` of the ids of such DSRs."""

    code = "rename_collides"


class InvalidPartyName(DsrhubError):
    """A text cannot be the name of a DSP or society."""

    code = "invalid_party_name"


class DSRSuperseded(ConflictError):
    """The content of a delivery is that of an earlier version, which was replaced or deleted, and its return was not
    asked for.

    `extra` has the `id` and the `path` of that version.
    """

    code = "dsr_superseded"


class VersionNotFound(NotFoundError):
    """No earlier version has this id."""

    code = "version_not_found"


class VersionNeedsMessage(ConflictError):
    """An earlier version is a part of a message that does not stand. `extra` has the `id` of the version to revert to
    first."""

    code = "version_needs_message"


class DifferenceNotReady(NotReadyError):
    """Two DSRs could not be compared in the time of the request. A worker does it."""

    code = "difference_not_ready"


class MessageNotFound(NotFoundError):
    """No message has this id."""

    code = "message_not_found"


class DSRNotFound(NotFoundError):
    """No DSR has this id."""

    code = "dsr_not_found"


class DSRFailed(ConflictError):
    """A question is about the lines of a DSR whose import failed: it has none. `extra` has its `id`."""

    code = "dsr_failed"


class ExchangeRateMissing(DsrhubError):
    """The loaded ECB history has no rate of a currency at all."""

    code = "exchange_rate_missing"


class ExchangeRateIncomplete(DsrhubError):
    """The loaded ECB history lacks rates of a currency in a period. `extra` has the `reason`, as a part of a sentence,
    and the numbers of `days_found` and `days_expected`.
    """

    code = "exchange_rate_incomplete"


class InvalidRateFile(DsrhubError):
    """A file is not an ECB history of euro reference rates."""

    code = "invalid_rate_file"


class InvalidRate(DsrhubError):
    """An operator's rate is not valid."""

    code = "invalid_rate"


class PeriodReversed(InvalidArgument):
    """A question is about a range of days that ends before it starts."""


class SearchTooWide(DsrhubError):
    """A search would add up more resources than it may."""

    code = "search_too_wide"


class RankingNotReady(NotReadyError):
    """A ranking could not be built in the time of the request. A worker builds it."""

    code = "ranking_not_ready"


class ImportJobChanged(ConflictError):
    """The state of an import job has changed since the user saw it, so the requested step is not possible."""

    code = "import_job_changed"


class ReplacementNotChosen(ConflictError):
    """An earlier delivery of the report exists, and its replacement was not chosen."""

    code = "replacement_not_chosen"


class TotalsDiffer(ConflictError):
    """The totals of a checked file are not those that were declared."""

    code = "totals_differ"


class ImportJobNotFound(NotFoundError):
    """No import job that the user may see has this id."""

    code = "import_job_not_found"


class FileRepeated(ConflictError):
    """A file of a message waits for others already, with other content. `extra` has the id of its import as `job`."""

    code = "file_repeated"


class WaitingFilesTooLarge(ConflictError):
    """The files of a user that wait for others would have more bytes than an upload may have."""

    code = "waiting_files_too_large"


class FolderBusy(BusyError):
    """A process works in a drop folder."""

    code = "folder_busy"


class FolderOutOfReach(NotReadyError):
    """A drop folder cannot be reached, or refuses."""

    code = "folder_out_of_reach"


class RefusedDeliveryNotFound(NotFoundError):
    """A drop folder has no refused delivery of this name, or it has no files any more."""

    code = "refused_delivery_not_found"


class FileInTheWay(ConflictError):
    """A file cannot move back into a drop folder, which has another one of its name. `extra` has the `names`."""

    code = "file_in_the_way"


class DeliveryGivenUp(DsrhubError):
    """The import of a delivery in a drop folder was begun several times, and never came to an end."""

    code = "given_up"


class DeliveryFailed(DsrhubError):
    """The import of a delivery in a drop folder ended with an internal error, which the log has."""

    code = "internal_error"


class InvalidTemplate(DsrhubError):
    """The definition of a template cannot be used. `extra` has its `faults`: see `Fault`."""

    code = "invalid_template"


class TemplateNotFound(NotFoundError):
    """No template, or no version of it, has this id or name."""

    code = "template_not_found"


class TemplateExists(ConflictError):
    """A template of this name exists. `extra` has its `id`."""

    code = "template_exists"


class TemplateInUse(ConflictError):
    """A template cannot be deleted: messages were read with it, or uploaded files wait to be.

    `extra` has their numbers as `messages` and `files`.
    """

    code = "template_in_use"


class TemplateAmbiguous(ConflictError):
    """Several templates recognise a file, and none of them was chosen. `extra` has their names as `templates`."""

    code = "template_ambiguous"
