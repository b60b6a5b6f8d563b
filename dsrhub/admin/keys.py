"""The admin of keys: creating, rotating and revoking them. A secret is shown once."""

from typing import Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from dsrhub.access.keys import (
    MOST_DAYS,
    MOST_OVERLAP_HOURS,
    OVERLAP_HOURS,
    InvalidKey,
    key_create,
    key_revoke,
    key_rotate,
    require_name,
)
from dsrhub.admin.people import RevocableAdmin
from dsrhub.exceptions import DsrhubError
from dsrhub.models import ApiKey
from dsrhub.pages.site_search import Findings, Found, finder, found_in_list, page_of
from dsrhub.scopes import Scope
from dsrhub.values.numbers import plain_id


def default_days() -> int:
    return min(settings.DSRHUB_TOKEN_DAYS, MOST_DAYS)


class KeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("A program with the key may do what its scopes allow, if the permissions of the owner allow it."),
    )
    days = forms.IntegerField(label=_("Days until it expires"), min_value=1, max_value=MOST_DAYS, initial=default_days)

    class Meta:
        model = ApiKey
        fields = ["user", "name"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        try:
            require_name(name)
        except InvalidKey as error:
            raise forms.ValidationError(error.message) from error
        return name


class RotationForm(forms.Form):
    overlap_hours = forms.IntegerField(
        label=_("Hours for which the present secret still works"),
        min_value=0,
        max_value=MOST_OVERLAP_HOURS,
        initial=OVERLAP_HOURS,
    )


@admin.register(ApiKey)
class ApiKeyAdmin(RevocableAdmin):
    form = KeyForm
    list_display = ["name", "prefix", "user", "scopes_named", "expires_at", "last_used_at", "rotated_at", "created_by"]
    list_filter = ["created_at", "expires_at", "last_used_at"]
    search_fields = ["name", "prefix", "user__username"]
    search_help_text = _("Name of the key or of its owner, or the start of the key")
    shown: ClassVar = [
        *("name", "prefix", "user", "scopes_named"),
        *("created_at", "created_by", "expires_at", "rotated_at", "last_used_at"),
    ]
    entered: ClassVar = ["name", "scopes", "days"]

    @admin.display(description=_("scopes"))
    def scopes_named(self, key: ApiKey) -> str:
        return ", ".join(str(scope.label) for scope in Scope if scope in key.scopes)

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate_view)
        return [path("<int:number>/rotate/", rotate, name="dsrhub_apikey_rotate"), *super().get_urls()]

    def revoke(self, obj: ApiKey) -> None:
        key_revoke(key=obj)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        values = form.cleaned_data
        owner, user = values.get("user", request.user), cast(User, request.user)
        key = key_create(user=owner, name=values["name"], scopes=values["scopes"], days=values["days"], created_by=user)
        for name in ("pk", "user", "prefix", "expires_at", "secret"):
            setattr(obj, name, getattr(key, name))

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self._secret_page(request, obj, _("API key created"))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        key = ApiKey.objects.filter(pk=plain_id(object_id) or 0).first()
        extra = {"may_rotate": key is not None and self._may_rotate(request, key)}
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def rotate_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask how long the present secret still works, and show the new one."""
        key = ApiKey.objects.select_related("user").filter(pk=number).first()
        if key is None:
            raise Http404("There is no such key.")
        if not self._may_rotate(request, key):
            raise PermissionDenied
        form = RotationForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self._rotate(request, key, form.cleaned_data["overlap_hours"])
        context = {**self.admin_site.each_context(request), "title": _("Rotate"), "opts": self.opts}
        page = context | {"key": key, "form": form}
        return TemplateResponse(request, "admin/dsrhub/apikey/rotate.html", page)

    def _may_rotate(self, request: HttpRequest, key: ApiKey) -> bool:
        """Whether the user may create a key for the owner of this one."""
        is_own = request.user.is_superuser or request.user.pk == key.user_id
        return is_own and self.has_view_permission(request, key) and self.has_add_permission(request)

    def _rotate(self, request: HttpRequest, key: ApiKey, overlap_hours: int) -> HttpResponse:
        try:
            after = key_rotate(key=key, overlap_hours=overlap_hours, created_by=cast(User, request.user))
        except DsrhubError as error:
            messages.error(request, _("Nothing has changed. %s") % error.message)
            return HttpResponseRedirect(reverse("admin:dsrhub_apikey_change", args=[key.pk]))
        key.refresh_from_db(fields=["expires_at"])
        return self._secret_page(request, after, _("API key rotated"), before=key)

    def _secret_page(self, request: HttpRequest, key: ApiKey, title: Any, **context: Any) -> HttpResponse:
        """Show the secret on this page: a message would be kept in a cookie, or in the table of sessions."""
        page = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "key": key, **context}
        return TemplateResponse(request, "admin/dsrhub/apikey/created.html", page)


# --- The search of the header ----------------------------------------------------------------------------------


@finder(order=70)
def api_keys(request: HttpRequest, text: str) -> Findings | None:
    return found_in_list(request, text, ApiKey.objects.select_related("user").order_by("-id"), _found)


def _found(key: ApiKey) -> Found:
    return Found(key.name, page_of(key), f"{key.prefix} · {key.user}")
