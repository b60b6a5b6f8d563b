"""The pages of aliases, and the renaming of DSRs that have another name of the same party."""

from collections.abc import Collection, Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalogue.admin.cells import dsr_link, link
from catalogue.dsrs.aliases import alias_problems, aliases_lock, other_names
from catalogue.models import DSR, PartyAlias
from catalogue.resources.renaming import party_rename, party_renaming
from dsrhub.exceptions import ConfirmationOutdated, DsrhubError
from dsrhub.logs.audited import AuditedAdmin
from dsrhub.models import Action
from dsrhub.pages.model_admins import ChangedAsShownAdmin, DeletedByServiceAdmin
from dsrhub.texts import marked as texts
from dsrhub.texts.spelling import plain_name
from dsrhub.values.cells import grouped

SHOWN_COLLISIONS = 100


class PartyAliasForm(forms.ModelForm):
    def clean_known_as(self) -> str:
        """Return the plain form, under which imports store the name."""
        return plain_name(self.cleaned_data["known_as"])

    def clean(self) -> dict[str, Any]:
        """Show each problem next to its field."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            for field, problem in alias_problems(PartyAlias(pk=self.instance.pk, **cleaned)).items():
                self.add_error(field, problem)
        return cleaned


@admin.register(PartyAlias)
class PartyAliasAdmin(AuditedAdmin, ChangedAsShownAdmin, DeletedByServiceAdmin):
    form = PartyAliasForm
    change_form_template = "admin/catalogue/partyalias/change_form.html"
    audited = {ADDITION: Action.ALIAS_ADDED, CHANGE: Action.ALIAS_CHANGED, DELETION: Action.ALIAS_DELETED}
    audited_values = ("role", "party_id", "party_name", "known_as")
    list_display = ["known_as", "role", "party_name", "party_id", "dsrs"]
    list_filter = ["role"]
    search_fields = ["known_as", "party_name", "party_id"]
    search_help_text = gettext_lazy("Name or party id")

    @admin.display(description=gettext_lazy("DSRs"))
    def dsrs(self, alias: PartyAlias) -> SafeString:
        return link(_("Show"), "dsr_changelist", **{alias.role: alias.known_as})

    def locked(self, ids: Collection[Any]) -> Iterable[Model]:
        # It also covers an alias that two users are about to add.
        aliases_lock()
        return super().locked(ids)

    def delete_model(self, request: HttpRequest, obj: PartyAlias) -> None:
        self.require_as_shown(request, [obj.pk])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        self.require_as_shown(request, [alias.pk for alias in queryset])
        super().delete_queryset(request, queryset)

    # --- Renaming ----------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        rename = self.admin_site.admin_view(self.rename_view)
        return [path("<int:number>/rename/", rename, name="catalogue_partyalias_rename"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        alias = PartyAlias.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        names = {} if alias is None or not _may_rename(request) else other_names(alias)
        extra = {"renamings": [(_rename_address(cast(PartyAlias, alias), name), name) for name in names]}
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: PartyAlias, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        was_known_as = form.initial.get("known_as", "") if change else ""
        if _may_rename(request):
            request.other_names = list(other_names(obj, was_known_as))  # type: ignore[attr-defined]

    def response_post_save_add(self, request: HttpRequest, obj: PartyAlias) -> HttpResponseRedirect:
        return self._offer_renaming(request, obj) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: PartyAlias | None) -> HttpResponseRedirect:
        return self._offer_renaming(request, obj) or super().response_post_save_change(request, obj)

    def _offer_renaming(self, request: HttpRequest, alias: PartyAlias | None) -> HttpResponseRedirect | None:
        """Redirect to the renaming where DSRs have another name of the party."""
        names = getattr(request, "other_names", [])
        return HttpResponseRedirect(_rename_address(alias, names[0])) if alias is not None and names else None

    def rename_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Show what a renaming would do, and rename the DSRs when it is confirmed."""
        if not (self.has_view_permission(request) and _may_rename(request)):
            raise PermissionDenied
        alias = PartyAlias.objects.filter(pk=number).first()
        name = request.POST.get("name") or request.GET.get("name") or ""
        if alias is None or not name:
            raise Http404("There is no such alias or name.")
        if request.method == "POST":
            return self._rename(request, alias, name)
        renaming = party_renaming(role=PartyAlias.Role(alias.role), name=name, known_as=alias.known_as)
        there = DSR.objects.filter(**{alias.role: alias.known_as}).count()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Rename DSRs"),
            "opts": self.opts,
            "alias": alias,
            "name": name,
            "shown": renaming.digest,
            "dsr_count": grouped(len(renaming.dsrs)),
            "line_count": grouped(sum(dsr.line_count for dsr in renaming.dsrs)),
            "list": reverse("admin:catalogue_dsr_changelist", query={alias.role: name}),
            "there_count": grouped(there) if there else "",
            "is_dsp": alias.role == PartyAlias.Role.DSP,
            "collisions": [tuple(map(_numbered, pair)) for pair in renaming.collisions[:SHOWN_COLLISIONS]],
            "collision_count": grouped(len(renaming.collisions)),
            "others": [(_rename_address(alias, other), other) for other in other_names(alias) if other != name],
        }
        return TemplateResponse(request, "admin/catalogue/partyalias/rename.html", context)

    def _rename(self, request: HttpRequest, alias: PartyAlias, name: str) -> HttpResponse:
        form = request.POST
        try:
            if form.get("known_as") != alias.known_as:
                raise ConfirmationOutdated(
                    texts.gettext_lazy("The alias has changed since you opened the page. Review it again.")
                )
            count = party_rename(
                role=PartyAlias.Role(alias.role),
                name=name,
                known_as=alias.known_as,
                user=cast(User, request.user),
                seen=form.get("shown", ""),
            )
        except DsrhubError as error:
            messages.error(request, _("Nothing was renamed. %s") % error.message)
            return HttpResponseRedirect(_rename_address(alias, name))
        text = ngettext("%(count)s DSR is now of %(name)s.", "%(count)s DSRs are now of %(name)s.", count)
        messages.success(request, text % {"count": grouped(count), "name": alias.known_as})
        return HttpResponseRedirect(reverse("admin:catalogue_partyalias_changelist"))


def _may_rename(request: HttpRequest) -> bool:
    return request.user.has_perm("catalogue.change_dsr")


def _numbered(dsr: DSR) -> SafeString:
    return format_html("DSR {}: {}", dsr.pk, dsr_link(dsr))


def _rename_address(alias: PartyAlias, name: str) -> str:
    return reverse("admin:catalogue_partyalias_rename", args=[alias.pk], query={"name": name})
