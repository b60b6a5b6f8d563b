"""The navigation of the admin: all pages, in groups by task. The applications' pages are named as strings."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, lazy
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from dsrhub.access.permissions import may


class Page(NamedTuple):
    """A page with the model whose admin decides who may open it, and by which of its permissions."""

    label: str | Promise
    view: str
    model: str | tuple[str, ...] = ()
    permission: str = "view"

    def may_open(self, request: HttpRequest) -> bool:
        models = (self.model,) if isinstance(self.model, str) else self.model
        return all(may(request, self.permission, apps.get_model(model)) for model in models)


def _list(model: str, label: Promise | None = None) -> Page:
    """The list of a model. Its label is the plural of the model, as in the heading of the list."""
    return Page(label or _plural(model), f"admin:{model.replace('.', '_')}_changelist", model)


def _plural_of(model: str) -> str:
    return str(capfirst(apps.get_model(model)._meta.verbose_name_plural))


_plural = lazy(_plural_of, str)


def _question(label: str | Promise, name: str) -> Page:
    return Page(label, f"admin:catalogue_dsr_{name}", "catalogue.dsr")


GROUPS: tuple[tuple[Promise, tuple[Page, ...]], ...] = (
    (
        _("Import"),
        (
            Page(_("Import reports"), "admin:catalogue_dsr_import", "catalogue.dsr", "import"),
            _list("catalogue.importjob"),
            Page(_("Drop folders"), "admin:catalogue_dsr_folders", "catalogue.dsr", "import"),
            _list("catalogue.template"),
        ),
    ),
    (
        _("Reports"),
        (
            _list("catalogue.dsr"),
            _list("catalogue.reportmessage"),
            _list("catalogue.reportproblem"),
            _list("catalogue.rejecteddelivery"),
            _list("catalogue.supersededdsr"),
        ),
    ),
    (
        _("Recordings"),
        (
            _list("catalogue.resource"),
            Page(_("Top recordings"), "admin:catalogue_resource_top", ("catalogue.resource", "catalogue.dsr")),
        ),
    ),
    (
        _("Questions"),
        (
            _question(_("Breakdown"), "breakdown"),
            _question(_("Comparison"), "comparison"),
            _question(_("Coverage"), "coverage"),
            _question(_("Identification"), "identification"),
            _question(_("Artists"), "artists"),
        ),
    ),
    (
        _("Rates"),
        (
            _list("catalogue.operatorrate"),
            _list("catalogue.ecbrate"),
            _list("catalogue.ratechange"),
            _list("catalogue.currency"),
            _list("catalogue.territory"),
        ),
    ),
    (
        _("Subscriptions"),
        (
            Page(_("Usage"), "admin:subscriptions_subscription_usage", "subscriptions.subscription"),
            Page(_("Over a price limit"), "admin:subscriptions_subscription_over_limit", "subscriptions.subscription"),
            _list("subscriptions.subscription"),
            _list("subscriptions.datausagerecord"),
            _list("subscriptions.voiceusagerecord"),
            _list("subscriptions.pricelimit"),
            _list("subscriptions.limitcrossing"),
            _list("subscriptions.sealedday"),
        ),
    ),
    (
        _("Settings"),
        (
            _list("auth.user"),
            _list("auth.group"),
            _list("dsrhub.apikey"),
            _list("dsrhub.apitoken"),
            _list("webhooks.webhook"),
            _list("webhooks.delivery"),
            _list("catalogue.partyalias"),
            _list("dsrhub.auditentry", _("Audit log")),
        ),
    ),
    (_("API"), (Page(_("REST documentation"), "docs"), Page("GraphiQL", "graphql"))),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the pages that the user may open. One page is the current place."""
    groups = [(label, [page for page in pages if page.may_open(request)]) for label, pages in GROUPS]
    addresses = {page: reverse(page.view) for _label, pages in groups for page in pages}
    current = _current(request.path, addresses.values())
    return [
        {"label": label, "pages": [_link(page, addresses[page], current) for page in pages]}
        for label, pages in groups
        if pages
    ]


def pages_found(request: HttpRequest, text: str) -> list[dict[str, Any]]:
    """Return the links to the pages whose label, or that of their group, contains the text."""
    wanted = text.casefold()
    return [
        page
        for group in navigation(request)
        for page in group["pages"]
        if wanted in str(page["label"]).casefold() or wanted in str(group["label"]).casefold()
    ]


def _link(page: Page, address: str, current: str | None) -> dict[str, Any]:
    return {"label": page.label, "address": address, "is_current": address == current}


def _current(path: str, addresses: Iterable[str]) -> str | None:
    """Return the most precise address that the path starts with: pages of a DSR belong to the list of DSRs."""
    return max((address for address in addresses if path.startswith(address)), key=len, default=None)
