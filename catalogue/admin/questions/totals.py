"""The comparison of the totals of a DSR with those that a service declares."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from catalogue.admin.cells import dsr_name
from catalogue.admin.declared import DeclaredForm, compared_rows
from catalogue.admin.parts import dsr_or_404
from catalogue.admin.questions.page import QuestionPage
from catalogue.dsrs.declared import dsr_totals_compared
from dsrhub.exceptions import DsrhubError


class TotalsPage(QuestionPage):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.totals_view)
        return [path("<int:dsr_number>/totals/", view, name="catalogue_dsr_totals"), *super().get_urls()]

    def totals_view(self, request: HttpRequest, dsr_number: int) -> HttpResponseBase:
        """Show declared totals beside those of a DSR. Nothing is stored."""
        self._require_view(request)
        dsr = dsr_or_404(dsr_number)
        form = DeclaredForm(request.GET or None)
        context: dict[str, Any] = {"title": _("Compare totals"), "form": form, "dsr": dsr, "name": dsr_name(dsr)}
        if form.is_valid():
            try:
                compared = dsr_totals_compared(dsr=dsr, declared=form.declared())
            except DsrhubError as error:
                form.add_error(None, error.message)
            else:
                context |= {"rows": compared_rows(compared), "matches": compared.matches}
        return self._question(request, "totals", context, status=400 if form.errors else 200)
