"""The admin of webhooks, and the log of what was sent to them."""

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _

from dsrhub.exceptions import DsrhubError
from dsrhub.pages.model_admins import ChangedAsShownAdmin, DeletedByServiceAdmin, ReadOnlyAdmin
from dsrhub.pages.service_forms import ServiceForm
from dsrhub.pages.site_search import Findings, Found, finder, found_in_list, page_of
from dsrhub.webhooks import services
from dsrhub.webhooks.models import Delivery, EventType, Webhook

# How much of an answer the list of the log shows.
LONGEST_ANSWER = 60


def event_choices() -> list[tuple[str, str]]:
    """The types of events, with the codes that their receivers know."""
    return [(kind.value, f"{kind.label} ({kind.value})") for kind in EventType]


class WebhookForm(ServiceForm):
    """A webhook, and the secret of a new one."""

    events = forms.MultipleChoiceField(label=_("Events"), choices=event_choices, widget=forms.CheckboxSelectMultiple)

    secret = ""

    class Meta:
        widgets = {"url": forms.TextInput(attrs={"class": "vTextField", "inputmode": "url"})}

    def write(self) -> None:
        values = {name: self.cleaned_data[name] for name in self.fields if name != "is_enabled"}
        if self.instance.pk is None:
            webhook, self.secret = services.webhook_create(**values)
            self.instance.pk = webhook.pk
        else:
            is_enabled = self.cleaned_data["is_enabled"]
            services.webhook_change(webhook_number=self.instance.pk, **values, is_enabled=is_enabled)


@admin.register(Webhook)
class WebhookAdmin(ChangedAsShownAdmin, DeletedByServiceAdmin):
    """Registers webhooks. A secret is shown once, to the user who creates or rotates it."""

    form = WebhookForm
    change_form_template = "admin/webhooks/webhook/change_form.html"
    list_display = ["name", "url", "event_names", "is_enabled", "disabled_reason", "failing_since"]
    list_filter = ["is_enabled"]
    search_fields = ["name", "url"]
    search_help_text = _("Name or address")
    shown = ["disabled_reason", "disabled_at", "failing_since", "failures", "rests_until", "old_secret_until"]
    shown += ["created_at"]

    def get_fields(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        return ["name", "url", "events"] if obj is None else ["name", "url", "events", "is_enabled", *self.shown]

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        return [] if obj is None else self.shown

    def locked(self, ids: Collection[Any]) -> Iterable[Model]:
        # Writers of events share the row: an edit, which looks up a host, must not hold them up.
        return Webhook.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")

    @admin.display(description=_("events"))
    def event_names(self, webhook: Webhook) -> str:
        return ", ".join(webhook.events)

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:
        """The form has already written the webhook."""
        if not change:
            request.secret = form.secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None) -> HttpResponse:
        return self._secret_page(request, obj, request.secret)  # type: ignore[attr-defined]

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        self.require_as_shown(request, [obj.pk])
        services.webhook_delete(webhook_number=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        numbers = list(queryset.values_list("pk", flat=True))
        self.require_as_shown(request, numbers)
        for number in numbers:
            services.webhook_delete(webhook_number=number)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The log goes with its webhook, and may be long: it is not listed."""
        self.note_shown(request, objs)
        return [str(webhook) for webhook in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    # --- Buttons -----------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        rotate, test = (self.admin_site.admin_view(view) for view in (self.rotate_view, self.test_view))
        return [
            path("<int:number>/rotate/", rotate, name="webhooks_webhook_rotate"),
            path("<int:number>/test/", test, name="webhooks_webhook_test"),
            *super().get_urls(),
        ]

    def rotate_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Give a webhook a new secret, and show it."""
        require_button(request)
        try:
            webhook, secret = services.webhook_rotate(webhook_number=number)
        except DsrhubError as error:
            return _refused(request, error, "admin:webhooks_webhook_changelist")
        self.log_change(request, webhook, [{"changed": {"fields": ["secret"]}}])
        return self._secret_page(request, webhook, secret)

    def test_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Send a test event to a webhook."""
        return _pressed(request, lambda: services.webhook_test(webhook_number=number))

    def _secret_page(self, request: HttpRequest, webhook: Webhook, secret: str) -> TemplateResponse:
        """Show the secret on this page: a message would be kept in a cookie, or in the table of sessions."""
        context = {
            **self.admin_site.each_context(request),
            "title": translated("Secret of the webhook"),
            "opts": self.opts,
            "webhook": webhook,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/webhooks/webhook/secret.html", context)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The log, for users who may view webhooks."""

    change_form_template = "admin/webhooks/delivery/change_form.html"
    list_display = ["id", "event_type", "webhook", "subject", "state", "attempts", "event_at", "last_answer"]
    list_filter = ["state", "webhook", "event__type"]
    list_select_related = ["webhook", "event"]
    search_fields = ["=subject"]
    search_help_text = _("Subject, such as dsp:Spotify or subscription:7")
    show_full_result_count = False
    fields = ["event_type", "message_id", "webhook", "subject", "event_at", "state", "attempts", "due_at", "ended_at"]
    fields += ["holds_until", "passed_over_at", "content"]
    readonly_fields = ["event_type", "message_id", "event_at", "content"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("webhooks.view_webhook") or request.user.has_perm("webhooks.change_webhook")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        resend = self.admin_site.admin_view(self.resend_view)
        return [path("<int:number>/resend/", resend, name="webhooks_delivery_resend"), *super().get_urls()]

    def resend_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Send an event again."""
        webhook = Delivery.objects.filter(pk=number).values_list("webhook_id", flat=True).first()
        return _pressed(request, lambda: services.delivery_resend(webhook_number=webhook or 0, delivery_number=number))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["may_resend"] = request.user.has_perm("webhooks.change_webhook")
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("event"), ordering="event__type")
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description=_("message id"))
    def message_id(self, delivery: Delivery) -> str:
        return delivery.event.message_id

    @admin.display(description=_("time"), ordering="event__at")
    def event_at(self, delivery: Delivery) -> str:
        return str(localize(localtime(delivery.event.at)))

    @admin.display(description=_("last answer"))
    def last_answer(self, delivery: Delivery) -> str | None:
        last = delivery.answers[-1] if delivery.answers else {}
        return Truncator(str(last["error"] or last["status"])).chars(LONGEST_ANSWER) if last else None

    @admin.display(description=_("content"))
    def content(self, delivery: Delivery) -> SafeString:
        text = json.dumps(json.loads(delivery.event.body), ensure_ascii=False, indent=2)
        return format_html('<pre class="details">{}</pre>', text)


# --- Buttons ---------------------------------------------------------------------------------------------------


def require_button(request: HttpRequest) -> None:
    """Raises PermissionDenied for users who may not change webhooks, and for addresses that were typed."""
    if request.method != "POST" or not request.user.has_perm("webhooks.change_webhook"):
        raise PermissionDenied


def _pressed(request: HttpRequest, send: Callable[[], Delivery]) -> HttpResponse:
    """Let a worker send something, and show its delivery."""
    require_button(request)
    try:
        delivery = send()
    except DsrhubError as error:
        return _refused(request, error, "admin:webhooks_delivery_changelist")
    messages.success(request, _("A worker sends it now. Reload this page to see the answer."))
    return HttpResponseRedirect(reverse("admin:webhooks_delivery_change", args=[delivery.pk]))


def _refused(request: HttpRequest, error: DsrhubError, view: str) -> HttpResponse:
    messages.error(request, error.message)
    return HttpResponseRedirect(reverse(view))


# --- The search of the header ----------------------------------------------------------------------------------


@finder(order=80)
def webhooks(request: HttpRequest, text: str) -> Findings | None:
    return found_in_list(request, text, Webhook.objects.order_by("name", "id"), _found)


def _found(webhook: Webhook) -> Found:
    return Found(webhook.name, page_of(webhook), webhook.url)
