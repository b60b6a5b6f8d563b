"""The site of the admin: changing one's own password is limited and audited, choices by searching are checked, and
people choose the language."""

from functools import partial, update_wrapper
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.i18n import set_language

from dsrhub import __version__
from dsrhub.access.tokens import password_changed
from dsrhub.exceptions import InvalidArgument
from dsrhub.http.refusals import refused_page
from dsrhub.pages.languages import language_cookie_set, language_of, language_set, require_language
from dsrhub.pages.navigation import navigation
from dsrhub.pages.site_search import search
from dsrhub.pages.start_page import start_page
from dsrhub.throttling import Attempt


class ChoicesView(AutocompleteJsonView):
    def process_request(self, request: HttpRequest) -> Any:
        """Refuse relations that no form has as a field, such as the users of a group: Django fails on them."""
        term, model_admin, source_field, to_field = super().process_request(request)
        if not source_field.concrete:
            raise PermissionDenied
        return term, model_admin, source_field, to_field


class SearchForm(forms.Form):
    """The search of the header."""

    q = forms.CharField(label=gettext_lazy("Search"), max_length=1000)


class DsrhubAdminSite(AdminSite):
    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        groups = navigation(request) if self.has_permission(request) else []
        return super().each_context(request) | {"navigation": groups, "dsrhub_version": __version__}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Django asks for this list for each page. It is made only where a page shows it."""
        return SimpleLazyObject(partial(super().get_app_list, request, app_label))

    def get_urls(self) -> list[Any]:
        own = [
            path("search/", self.admin_view(self.search_view), name="search"),
            path("language/", self.language, name="language"),
        ]
        return [*own, *super().get_urls()]

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the search of the header finds, as far as the user may see it."""
        form = SearchForm(request.GET)
        is_asked = "q" in request.GET and form.is_valid()
        findings = search(request, form.cleaned_data["q"]) if is_asked else []
        context = {
            **self.each_context(request),
            "title": _("Search"),
            "form": form,
            "site_search_text": form.data.get("q", ""),
            "findings": findings,
            "nothing_in": [found.title for found in findings if not found.links and not found.warning],
        }
        return TemplateResponse(request, "admin/dsrhub/search.html", context, status=200 if is_asked else 400)

    def language(self, request: HttpRequest) -> HttpResponse:
        """Choose the language by POST, and lead back to the page `next`. The choice of a user is remembered."""
        if request.method == "POST":
            chosen = request.POST.get("language", "")
            try:
                require_language(chosen)
            except InvalidArgument as error:
                return refused_page(request, error.message, status=400)
            if request.user.is_authenticated:
                language_set(user=request.user, language=chosen)
        return set_language(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Tell users whose session has ended that a form was not processed. Signing in leads to its address by GET."""
        checked = super().admin_view(view, cacheable)

        def with_warning(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method == "POST" and not request.user.is_authenticated:
                messages.warning(request, _("Your session has ended. Nothing was changed: sign in and do it again."))
            return cast(HttpResponse, checked(request, *args, **kwargs))

        return update_wrapper(with_warning, checked)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead users who have signed in meanwhile, in another window, to the page that asked for it."""
        if request.method == "GET" and self.has_permission(request):
            view = LoginView()
            view.setup(request)
            return HttpResponseRedirect(view.get_redirect_url() or reverse("admin:index"))
        response = super().login(request, extra_context)
        if isinstance(response, HttpResponseRedirect) and (language := language_of(cast(User, request.user))):
            language_cookie_set(response, language)
        return response

    def logout(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Sign out by POST only. A link to this address does nothing."""
        if request.method == "GET":
            return HttpResponseRedirect(reverse("admin:index"))
        return super().logout(request, extra_context)

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """Show the parts of all applications. The status says whether the address has bad input."""
        start = start_page(request)
        page = super().index(request, {**start, **(extra_context or {})})
        page.status_code = 200 if start["is_valid"] else 400
        return page

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return cast(HttpResponse, ChoicesView.as_view(admin_site=self)(request))

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Change the user's own password. A wrong old password counts as a failure to sign in."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        user: Any = request.user  # `admin_view` has checked that somebody is signed in.
        attempt, before = Attempt(request, user.get_username()), user.password
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if isinstance(response, HttpResponseRedirect):
                password_changed(user=user, before=before)
        page: dict[str, Any] = getattr(response, "context_data", None) or {}
        if "form" not in page or "old_password" not in page["form"].errors:
            attempt.succeeded()
        return response
