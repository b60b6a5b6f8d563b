"""The admin's page for requests that are refused before a view handles them. It leads back to where the user was."""

from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _


def refused_page(
    request: HttpRequest, text: str, *, status: int, headers: Mapping[str, str] | None = None, reason: str = ""
) -> HttpResponse:
    """Say what happened. The link back requests the address of a form by GET, which shows the form again."""
    back = request.get_full_path() if request.method == "POST" else request.path
    context = {"text": text, "reason": reason, "back": back}
    response = render(request, "admin/dsrhub/refused.html", context, status=status)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def form_refused(request: HttpRequest, error: Exception) -> HttpResponse:
    """The response to a form of the admin that Django does not read."""
    return refused_page(request, _form_text(error), status=400)


def _form_text(error: Exception) -> str:
    if isinstance(error, TooManyFilesSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        return _(
            "You can upload at most %(most)s files at a time. Nothing was uploaded. Upload fewer files, or import the "
            "folder on the server: manage.py import_dsr"
        ) % {"most": most}
    if isinstance(error, TooManyFieldsSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        return _("The form has more than %(most)s fields. Nothing was changed.") % {"most": most}
    if isinstance(error, RequestDataTooBig):
        limit = filesizeformat(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        return _("The texts of the form are larger than %(limit)s. Nothing was changed.") % {"limit": limit}
    if isinstance(error, MultiPartParserError):
        return _("The form arrived incomplete or damaged. Nothing was changed. Send it again.")
    return _("The server does not accept this request. Nothing was changed.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The response to a form without the valid CSRF token of its page (CSRF_FAILURE_VIEW)."""
    if not request.path_info.startswith("/admin/"):
        return JsonResponse({"detail": f"CSRF Failed: {reason}", "code": "permission_denied"}, status=403)
    text = _(
        "The page is out of date, for example because you signed in again in another window. Nothing was changed. Go "
        "back and do it again. If this page comes again, allow cookies for this site."
    )
    return refused_page(request, text, status=403, reason=reason)
