"""The audit log: who did what, from which address and through which door, for all doors and actions."""

import csv
import io
import json
import re
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from catalogue.admin.report_templates.forms import form_of
from catalogue.dsrs.services import dsr_delete
from catalogue.exceptions import DSRNotFound, ExchangeRateMissing
from catalogue.imports.loading.reverting import version_return
from catalogue.imports.queue.worker import queue_drain
from catalogue.models import DSR, EcbRate, OperatorRate, PartyAlias, SupersededDSR, Template
from catalogue.rates.services import operator_rate_delete
from catalogue.report_templates.services import template_save
from catalogue.reports.formats.templates.definition import definition_json
from catalogue.reports.formats.templates.validation import definition_checked
from dsrhub import actors
from dsrhub.access import tokens
from dsrhub.logs.audit import audit
from dsrhub.models import Action, ApiKey, ApiToken, AuditEntry
from dsrhub.stores.addresses import parsed_address
from dsrhub.webhooks.models import Webhook
from subscriptions.models import DataUsageRecord, PriceLimit, SealedDay, Subscription
from tests import recipes
from tests.catalogue import recipes as catalogue_recipes
from tests.catalogue.helpers import NO_JANUARY, import_report, line, write_report
from tests.catalogue.reports.formats.templates.definitions import TONBANK
from tests.confirming import confirm_action, confirm_deletion, save
from tests.subscriptions import recipes as subscription_recipes
from tests.subscriptions.helpers import add, event, subscribe
from tests.webhooks import recipes as webhook_recipes

pytestmark = pytest.mark.django_db(transaction=True)

# Behind a proxy that sends ports.
ADDRESS, FORWARDED = "192.0.2.7", "6.6.6.6, 192.0.2.7:5678"
RATE = {"currency": "NOK", "period_start": "2020-01-01", "period_end": "2020-01-31", "rate": "9.5"}
CSV = "subscription_id,usage_date,price,kilobytes_used\n{},2026-01-05T12:00:00Z,1,1\n"


class World:
    """Objects to act on, and a client for each door of ada, a superuser."""

    def __init__(self, folder):
        self.folder = folder
        self.ada = recipes.superuser.make()
        at = {"HTTP_X_FORWARDED_FOR": FORWARDED, "HTTP_X_REQUEST_ID": "request-1"}
        self.admin = Client(**at)
        self.admin.force_login(self.ada)
        self.program = Client(**at, HTTP_AUTHORIZATION=f"Token {recipes.token.make(user=self.ada).key}")
        self.anonymous = Client(**at)

    def post(self, path, **form):
        self._done(self.admin.post(f"/admin/{path}", form))

    def save(self, path, **form):
        """Open a page, and send its form."""
        self._done(save(self.admin, f"/admin/{path}", form))

    def delete(self, path):
        self._done(confirm_deletion(self.admin, f"/admin/{path}"))

    def delete_selected(self, path, *ids):
        form = {"action": "delete_selected", "_selected_action": ids, "post": "yes"}
        self._done(confirm_action(self.admin, f"/admin/{path}", form))

    def _done(self, response):
        assert response.status_code == 302, response.content.decode()

    def graphql(self, operation):
        response = self.program.post("/graphql", {"query": operation}, content_type="application/json")
        assert "errors" not in response.json(), response.json()

    def dsr(self):
        return import_report(self.folder, NO_JANUARY, line("a", revenue="1.5"))

    def file(self, *lines):
        path = write_report(self.folder, NO_JANUARY, *lines)
        return SimpleUploadedFile(NO_JANUARY, path.read_bytes())


@pytest.fixture
def world(tmp_path, settings):
    settings.DSRHUB_BEHIND_PROXY = True
    settings.DSRHUB_UPLOAD_DIR = tmp_path / "uploads"
    return World(tmp_path)


# Each action is a function that does it through a door and returns the object that its entry must name: type and id.
ACTIONS = []


def doing(door, action):
    return lambda function: ACTIONS.append((door, action, function)) or function


# --- DSRs ------------------------------------------------------------------------------------------------------


@doing("admin", "dsr_deleted")
def delete_on_its_page(world):
    dsr = world.dsr()
    world.delete(f"catalogue/dsr/{dsr.pk}/delete/")
    return "catalogue.dsr", dsr.pk


@doing("admin", "dsr_deleted")
def delete_in_the_list(world):
    dsr = world.dsr()
    world.delete_selected("catalogue/dsr/", dsr.pk)
    return "catalogue.dsr", dsr.pk


@doing("rest", "dsr_deleted")
def delete_over_rest(world):
    dsr = world.dsr()
    assert world.program.delete(f"/dsrs/{dsr.pk}").status_code == 204
    return "catalogue.dsr", dsr.pk


@doing("graphql", "dsr_deleted")
def delete_over_graphql(world):
    dsr = world.dsr()
    world.graphql(f"mutation {{ deleteDsr(id: {dsr.pk}) {{ id }} }}")
    return "catalogue.dsr", dsr.pk


@doing("rest", "dsr_deleted")
def delete_message_over_rest(world):
    dsr = catalogue_recipes.dsr.make(message=catalogue_recipes.message.make())
    assert world.program.delete(f"/messages/{dsr.message_id}").status_code == 204
    return "catalogue.dsr", dsr.pk


@doing("graphql", "dsr_deleted")
def delete_message_over_graphql(world):
    dsr = catalogue_recipes.dsr.make(message=catalogue_recipes.message.make())
    world.graphql(f"mutation {{ deleteMessage(id: {dsr.message_id}) {{ id }} }}")
    return "catalogue.dsr", dsr.pk


@doing("rest", "dsr_reverted")
def revert_over_rest(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    assert world.program.post(f"/versions/{dsr.pk}/revert").status_code == 200
    return "catalogue.dsr", dsr.pk


@doing("graphql", "dsr_reverted")
def revert_over_graphql(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    world.graphql(f"mutation {{ revertToVersion(id: {dsr.pk}) {{ id }} }}")
    return "catalogue.dsr", dsr.pk


@doing("admin", "dsr_reverted")
def revert_on_its_page(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    world.post(f"catalogue/supersededdsr/{dsr.pk}/revert/", shown=version_return(version_number=dsr.pk).digest)
    return "catalogue.dsr", dsr.pk


@doing("rest", "dsr_reverted")
def deliver_an_earlier_version_over_rest(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    response = world.program.post("/dsrs/", {"file": world.file(line("a", revenue="1.5")), "replace": "true"})
    assert (response.status_code, response.json()["outcome"]) == (201, "reverted")
    return "catalogue.dsr", dsr.pk


@doing("rest", "versions_dropped")
def delete_version_over_rest(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    assert world.program.delete(f"/versions/{dsr.pk}").status_code == 204
    return "catalogue.supersededdsr", None


@doing("graphql", "versions_dropped")
def delete_version_over_graphql(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    world.graphql(f"mutation {{ deleteVersion(id: {dsr.pk}) {{ id }} }}")
    return "catalogue.supersededdsr", None


@doing("admin", "versions_dropped")
def delete_version_on_its_page(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    world.delete(f"catalogue/supersededdsr/{dsr.pk}/delete/")
    return "catalogue.supersededdsr", None


@doing("command", "versions_dropped")
def drop_surplus_versions(world):
    dsr_delete(dsr_number=world.dsr().pk)
    SupersededDSR.objects.update(superseded_at="2020-01-01T00:00:00Z")
    call_command("refresh_catalogue", stdout=io.StringIO())
    return "catalogue.supersededdsr", None


@doing("rest", "dsr_replaced")
def replace_over_rest(world):
    world.dsr()
    response = world.program.post("/dsrs/", {"file": world.file(line("b")), "replace": "true"})
    assert response.status_code == 201
    return "catalogue.dsr", DSR.objects.get().pk


@doing("command", "dsr_replaced")
def replace_by_the_command(world):
    world.dsr()
    # By threads: two files at a time.
    call_command("import_dsr", write_report(world.folder, NO_JANUARY, line("b")), "--replace", "--jobs", "2")
    return "catalogue.dsr", DSR.objects.get().pk


def confirm_replacement(world):
    world.dsr()
    form = {"import_file": world.file(line("b")), "format": "0", "resource": "0"}
    page = world.admin.post("/admin/catalogue/dsr/import/", form, follow=True)
    if page.context["cards"][0]["job"].state == "to_check":
        queue_drain()
    job, upload = page.context["cards"][0]["job"], page.context["upload"]
    job.refresh_from_db()
    seen = {f"seen-{job.pk}": job.changed_at.isoformat()}
    world.post("catalogue/dsr/process_import/", upload=upload, confirm="yes", job=job.pk, replace=job.pk, **seen)


@doing("admin", "dsr_replaced")
def replace_in_the_admin(world):
    confirm_replacement(world)
    return "catalogue.dsr", DSR.objects.get().pk


@doing("worker", "dsr_replaced")
def replace_by_a_worker(world, settings):
    settings.DSRHUB_IMPORT_AT_ONCE_BYTES = 0
    confirm_replacement(world)
    assert not AuditEntry.objects.exists()
    queue_drain()
    return "catalogue.dsr", DSR.objects.get().pk


@doing("folder", "dsr_replaced")
def replace_by_a_drop_folder(world, settings):
    world.dsr()
    settings.DSRHUB_FOLDERS = [parsed_address(str(world.folder))]
    settings.DSRHUB_FOLDER_REST_SECONDS, settings.DSRHUB_FOLDER_REPLACE = 0, True
    write_report(world.folder, NO_JANUARY, line("b"))
    call_command("worker", "--once")
    return "catalogue.dsr", DSR.objects.get().pk


@doing("admin", "dsr_deleted")
def delete_a_message(world):
    dsr = catalogue_recipes.dsr_of_message.make()
    world.delete(f"catalogue/reportmessage/{dsr.message_id}/delete/")
    return "catalogue.dsr", dsr.pk


# --- Aliases and names -----------------------------------------------------------------------------------------

ALIAS = {"role": "dsp", "party_id": "", "party_name": "Spotify AB", "known_as": "Spotify"}


@doing("admin", "alias_added")
def add_alias(world):
    world.post("catalogue/partyalias/add/", **ALIAS)
    return "catalogue.partyalias", PartyAlias.objects.get().pk


@doing("admin", "alias_changed")
def change_alias(world):
    alias = catalogue_recipes.party_alias.make()
    world.save(f"catalogue/partyalias/{alias.pk}/change/", **ALIAS | {"known_as": "Spotify Music"})
    return "catalogue.partyalias", alias.pk


@doing("admin", "alias_deleted")
def delete_alias(world):
    alias = catalogue_recipes.party_alias.make()
    world.delete(f"catalogue/partyalias/{alias.pk}/delete/")
    return "catalogue.partyalias", alias.pk


@doing("admin", "alias_deleted")
def delete_alias_in_the_list(world):
    alias = catalogue_recipes.party_alias.make()
    world.delete_selected("catalogue/partyalias/", alias.pk)
    return "catalogue.partyalias", alias.pk


def template_form(**values):
    form = form_of(definition_json(definition_checked(TONBANK)), name="Tonbank")
    return {name: form.data.getlist(name) for name in form.data} | {"_save": ""} | values


@doing("admin", "template_added")
def add_template(world):
    world.post("catalogue/template/add/", **template_form())
    return "catalogue.template", Template.objects.get(name="Tonbank").pk


@doing("admin", "template_added")
def import_template(world):
    document = {"dsrhub_template": 1, "name": "Tonbank", "definition": TONBANK}
    file = SimpleUploadedFile("tonbank.json", json.dumps(document).encode())
    world.post("catalogue/template/import/", document=file)
    return "catalogue.template", Template.objects.get(name="Tonbank").pk


@doing("admin", "template_changed")
def change_template(world):
    template = template_save(name="Tonbank", definition=TONBANK).template_id
    world.post(f"catalogue/template/{template}/change/", **template_form(sender="Other", seen_version="1"))
    return "catalogue.template", template


@doing("admin", "template_deleted")
def delete_template(world):
    template = template_save(name="Tonbank", definition=TONBANK).template_id
    world.delete(f"catalogue/template/{template}/delete/")
    return "catalogue.template", template


@doing("admin", "template_deleted")
def delete_template_in_the_list(world):
    template = template_save(name="Tonbank", definition=TONBANK).template_id
    world.delete_selected("catalogue/template/", template)
    return "catalogue.template", template


@doing("admin", "party_renamed")
def rename_in_the_admin(world):
    catalogue_recipes.dsr.make(dsp="Spotify AB")
    alias = catalogue_recipes.party_alias.make()
    form = {"name": "Spotify AB", "known_as": "Spotify"}
    world.save(f"catalogue/partyalias/{alias.pk}/rename/?name=Spotify+AB", **form)
    return "catalogue.dsr", ""


@doing("command", "party_renamed")
def rename_by_the_command(world):
    catalogue_recipes.dsr.make(dsp="Spotify AB")
    call_command("rename_party", "dsp", "Spotify AB", "Spotify")
    return "catalogue.dsr", ""


# --- Templates -------------------------------------------------------------------------------------------------


def template_document(world, **changes):
    path = world.folder / "template.json"
    path.write_text(json.dumps({"dsrhub_template": 1, "name": "Tonbank", "definition": TONBANK | changes}))
    return path


@doing("command", "template_added")
def import_template_by_the_command(world):
    call_command("templates", "import", template_document(world))
    return "catalogue.template", Template.objects.get(name="Tonbank").pk


@doing("command", "template_added")
def clone_template_by_the_command(world):
    catalogue_recipes.template_version.make()
    call_command("templates", "clone", "Tonbank", "Tonbank Spain")
    return "catalogue.template", Template.objects.get(name="Tonbank Spain").pk


@doing("command", "template_changed")
def replace_template_by_the_command(world):
    template = catalogue_recipes.template_version.make().template
    call_command("templates", "import", template_document(world, sender="Tonbank Ltd"), "--replace")
    return "catalogue.template", template.pk


@doing("command", "template_changed")
def deactivate_template_by_the_command(world):
    template = catalogue_recipes.template_version.make().template
    call_command("templates", "deactivate", "Tonbank")
    return "catalogue.template", template.pk


@doing("command", "template_deleted")
def delete_template_by_the_command(world):
    template = catalogue_recipes.template_version.make().template
    call_command("templates", "delete", "Tonbank")
    return "catalogue.template", template.pk


# --- Rates -----------------------------------------------------------------------------------------------------


@doing("admin", "rate_set")
def set_rate_in_the_admin(world):
    world.post("catalogue/operatorrate/add/", **RATE)
    return "catalogue.operatorrate", OperatorRate.objects.get().pk


@doing("admin", "rate_set")
def edit_rate_in_the_admin(world):
    rate = catalogue_recipes.operator_rate.make()
    world.save(f"catalogue/operatorrate/{rate.pk}/change/", rate="9.6", note="")
    return "catalogue.operatorrate", rate.pk


@doing("graphql", "rate_set")
def set_rate_over_graphql(world):
    values = 'currency: "NOK", periodStart: "2020-01-01", periodEnd: "2020-01-31", rate: "9.5"'
    world.graphql(f"mutation {{ setOperatorRate({values}) {{ changedDsrCount }} }}")
    return "catalogue.operatorrate", OperatorRate.objects.get().pk


@doing("command", "rate_set")
def set_rate_by_the_command(world):
    call_command("set_exchange_rate", "NOK", "2020-01-01", "2020-01-31", "9.5")
    return "catalogue.operatorrate", OperatorRate.objects.get().pk


@doing("admin", "rate_deleted")
def delete_rate_in_the_admin(world):
    rate = catalogue_recipes.operator_rate.make()
    world.delete(f"catalogue/operatorrate/{rate.pk}/delete/")
    return "catalogue.operatorrate", rate.pk


@doing("command", "rate_deleted")
def delete_rate_by_the_command(world):
    rate = catalogue_recipes.operator_rate.make()
    call_command("set_exchange_rate", "NOK", "2020-01-01", "2020-01-31", "--delete")
    return "catalogue.operatorrate", rate.pk


@doing("command", "rates_loaded")
def load_rates_by_the_command(world):
    rate = EcbRate.objects.get(currency="NOK", day="2020-01-31")
    path = world.folder / "eurofxref.csv"
    path.write_text("Date,NOK,\n2020-01-31,12,\n")
    call_command("load_ecb_rates", path)
    # The table is not emptied after the test.
    EcbRate.objects.filter(pk=rate.pk).update(rate=rate.rate)
    return "catalogue.ecbrate", ""


# --- Usage -----------------------------------------------------------------------------------------------------


def usage_record():
    add(event(subscribe()))
    return DataUsageRecord.objects.get()


def usage_form(record, price):
    day = {"usage_date_0": "2026-01-05", "usage_date_1": "12:00:00"}
    return {"subscription": record.subscription_id, "price": price, "kilobytes_used": "1", "external_id": ""} | day


@doing("admin", "usage_added")
def add_record(world):
    someone = subscribe()
    form = usage_form(DataUsageRecord(subscription=someone), "2")
    world.post("subscriptions/datausagerecord/add/", **form)
    return "subscriptions.datausagerecord", DataUsageRecord.objects.get().pk


@doing("admin", "usage_edited")
def edit_record(world):
    record = usage_record()
    world.save(f"subscriptions/datausagerecord/{record.pk}/change/", **usage_form(record, "2"))
    return "subscriptions.datausagerecord", record.pk


@doing("admin", "usage_deleted")
def delete_record(world):
    record = usage_record()
    world.delete(f"subscriptions/datausagerecord/{record.pk}/delete/")
    return "subscriptions.datausagerecord", record.pk


@doing("admin", "usage_imported")
def import_usage_in_the_admin(world):
    at = "/admin/subscriptions/datausagerecord/"
    file = SimpleUploadedFile("usage.csv", CSV.format(subscribe().pk).encode())
    page = world.admin.post(f"{at}import/", {"import_file": file, "format": "0", "resource": "0"})
    initial = page.context["confirm_form"].initial
    form = {name: value for name, value in initial.items() if value is not False} | {"confirm": "yes"}
    assert world.admin.post(f"{at}process_import/", form).status_code == 302
    return "subscriptions.datausagerecord", ""


@doing("command", "usage_imported")
def import_usage_by_the_command(world):
    path = world.folder / "usage.csv"
    path.write_text(CSV.format(subscribe().pk))
    call_command("import_usage", path)
    return "subscriptions.datausagerecord", ""


@doing("command", "usage_purged")
def purge_by_the_command(world):
    usage_record()
    call_command("purge_usage", "--before", "2026-02-01")
    return "subscriptions.sealedday", SealedDay.objects.get().pk


@doing("admin", "subscription_added")
def add_subscription(world):
    world.post("subscriptions/subscription/add/", carrier="att", status="new")
    return "subscriptions.subscription", Subscription.objects.get().pk


@doing("admin", "subscription_changed")
def change_subscription(world):
    someone = subscribe()
    world.save(f"subscriptions/subscription/{someone.pk}/change/", carrier="att", status="expired")
    return "subscriptions.subscription", someone.pk


LIMIT = {"usage_type": "data", "span": "total", "price": "10"}


def limit_of(number):
    return "subscriptions.pricelimit", number


@doing("rest", "limit_set")
def set_limit_over_rest(world):
    response = world.program.post("/subscriptions/limits/", LIMIT, content_type="application/json")
    assert response.status_code == 201
    return limit_of(response.json()["id"])


@doing("graphql", "limit_set")
def set_limit_over_graphql(world):
    world.graphql('mutation { setPriceLimit(type: data, span: total, price: "1") { priceLimit { id } } }')
    return limit_of(PriceLimit.objects.get().pk)


@doing("admin", "limit_set")
def set_limit_in_the_admin(world):
    world.post("subscriptions/pricelimit/add/", **LIMIT)
    return limit_of(PriceLimit.objects.get().pk)


@doing("admin", "limit_set")
def change_limit_in_the_admin(world):
    limit = subscription_recipes.price_limit.make()
    world.save(f"subscriptions/pricelimit/{limit.pk}/change/", price="12")
    return limit_of(limit.pk)


@doing("rest", "limit_deleted")
def delete_limit_over_rest(world):
    limit = subscription_recipes.price_limit.make()
    assert world.program.delete(f"/subscriptions/limits/{limit.pk}/").status_code == 204
    return limit_of(limit.pk)


@doing("graphql", "limit_deleted")
def delete_limit_over_graphql(world):
    limit = subscription_recipes.price_limit.make()
    world.graphql(f"mutation {{ deletePriceLimit(id: {limit.pk}) {{ id }} }}")
    return limit_of(limit.pk)


@doing("admin", "limit_deleted")
def delete_limit_in_the_admin(world):
    limit = subscription_recipes.price_limit.make()
    world.delete(f"subscriptions/pricelimit/{limit.pk}/delete/")
    return limit_of(limit.pk)


@doing("admin", "limit_deleted")
def delete_limit_in_the_list(world):
    limit = subscription_recipes.price_limit.make()
    world.delete_selected("subscriptions/pricelimit/", limit.pk)
    return limit_of(limit.pk)


# --- Webhooks --------------------------------------------------------------------------------------------------

WEBHOOK = {"name": "statistics", "url": "https://receiver.example/", "events": ["dsr.ingested"]}


@doing("rest", "webhook_added")
def add_webhook_over_rest(world):
    response = world.program.post("/webhooks/", WEBHOOK, content_type="application/json")
    assert response.status_code == 201
    return "webhooks.webhook", response.json()["webhook"]["id"]


@doing("admin", "webhook_added")
def add_webhook_in_the_admin(world):
    assert "not shown again" in world.admin.post("/admin/webhooks/webhook/add/", WEBHOOK).content.decode()
    return "webhooks.webhook", Webhook.objects.get().pk


@doing("rest", "webhook_changed")
def change_webhook_over_rest(world):
    webhook = webhook_recipes.webhook.make()
    path, change = f"/webhooks/{webhook.pk}/", {"enabled": False}
    assert world.program.patch(path, change, content_type="application/json").status_code == 200
    return "webhooks.webhook", webhook.pk


@doing("admin", "webhook_changed")
def change_webhook_in_the_admin(world):
    webhook = webhook_recipes.webhook.make()
    world.save(f"webhooks/webhook/{webhook.pk}/change/", **WEBHOOK)
    return "webhooks.webhook", webhook.pk


@doing("rest", "webhook_rotated")
def rotate_webhook_over_rest(world):
    webhook = webhook_recipes.webhook.make()
    assert world.program.post(f"/webhooks/{webhook.pk}/rotate/").status_code == 200
    return "webhooks.webhook", webhook.pk


@doing("admin", "webhook_rotated")
def rotate_webhook_in_the_admin(world):
    webhook = webhook_recipes.webhook.make()
    assert world.admin.post(f"/admin/webhooks/webhook/{webhook.pk}/rotate/").status_code == 200
    return "webhooks.webhook", webhook.pk


@doing("rest", "webhook_deleted")
def delete_webhook_over_rest(world):
    webhook = webhook_recipes.webhook.make()
    assert world.program.delete(f"/webhooks/{webhook.pk}/").status_code == 204
    return "webhooks.webhook", webhook.pk


@doing("admin", "webhook_deleted")
def delete_webhook_in_the_admin(world):
    webhook = webhook_recipes.webhook.make()
    world.delete(f"webhooks/webhook/{webhook.pk}/delete/")
    return "webhooks.webhook", webhook.pk


@doing("admin", "webhook_deleted")
def delete_webhook_in_the_list(world):
    webhook = webhook_recipes.webhook.make()
    world.delete_selected("webhooks/webhook/", webhook.pk)
    return "webhooks.webhook", webhook.pk


# --- Users and tokens ------------------------------------------------------------------------------------------


def user_form(user, **changed):
    joined = user.date_joined
    form = {"username": user.username, "date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}
    return form | {"is_active": "on"} | changed


@doing("admin", "user_added")
def add_user(world):
    password = {"usable_password": "true", "password1": "countess of", "password2": "countess of"}
    world.post("auth/user/add/", username="bob", **password)
    return "auth.user", User.objects.get(username="bob").pk


@doing("admin", "user_changed")
def rename_user(world):
    bob = recipes.user.make()
    world.save(f"auth/user/{bob.pk}/change/", **user_form(bob, username="robert"))
    return "auth.user", bob.pk


@doing("admin", "permissions_changed")
def permit_user(world):
    bob = recipes.user.make()
    permission = Permission.objects.get(codename="delete_dsr")
    world.save(f"auth/user/{bob.pk}/change/", **user_form(bob, user_permissions=permission.pk))
    return "auth.user", bob.pk


@doing("admin", "user_deleted")
def delete_user(world):
    bob = recipes.user.make()
    world.delete(f"auth/user/{bob.pk}/delete/")
    return "auth.user", bob.pk


@doing("admin", "user_deleted")
def delete_user_in_the_list(world):
    bob = recipes.user.make()
    world.delete_selected("auth/user/", bob.pk)
    return "auth.user", bob.pk


@doing("admin", "group_added")
def add_group(world):
    world.post("auth/group/add/", name="editors")
    return "auth.group", Group.objects.get().pk


@doing("admin", "permissions_changed")
def permit_group(world):
    group = recipes.group.make()
    world.save(f"auth/group/{group.pk}/change/", name="editors", permissions=Permission.objects.first().pk)
    return "auth.group", group.pk


@doing("admin", "group_changed")
def rename_group(world):
    group = recipes.group.make()
    world.save(f"auth/group/{group.pk}/change/", name="readers")
    return "auth.group", group.pk


@doing("admin", "group_deleted")
def delete_group(world):
    group = recipes.group.make()
    world.delete(f"auth/group/{group.pk}/delete/")
    return "auth.group", group.pk


@doing("admin", "password_changed")
def change_own_password(world):
    new = {"new_password1": "countess of", "new_password2": "countess of"}
    world.post("password_change/", old_password="lovelace", **new)
    return "auth.user", world.ada.pk


@doing("admin", "password_changed")
def change_password_of_another(world):
    bob = recipes.user.make()
    change_password_of(world, bob)
    return "auth.user", bob.pk


def change_password_of(world, user):
    new = {"usable_password": "true", "password1": "countess of", "password2": "countess of"}
    world.post(f"auth/user/{user.pk}/password/", **new)


@doing("command", "password_changed")
def change_password_by_the_command(world, monkeypatch):
    monkeypatch.setattr("django.contrib.auth.management.commands.changepassword.Command._get_pass", lambda *_: "of L.")
    monkeypatch.setattr("django.contrib.auth.management.commands.changepassword.validate_password", lambda *_: None)
    call_command("changepassword", "ada")
    return "auth.user", world.ada.pk


@doing("command", "user_added")
def create_a_superuser(world):
    call_command("createsuperuser", "--noinput", username="eve", email="")
    return "auth.user", User.objects.get(username="eve").pk


@doing("admin", "token_created")
def create_token_in_the_admin(world):
    bob = recipes.user.make()
    form = {"user": bob.pk, "name": "nightly upload"}
    # The page shows the key once.
    assert "not shown again" in world.admin.post("/admin/dsrhub/apitoken/add/", form).content.decode()
    return "dsrhub.apitoken", ApiToken.objects.get(user=bob).pk


@doing("admin", "token_deleted")
def delete_token_in_the_admin(world):
    token = ApiToken.objects.get()
    world.delete(f"dsrhub/apitoken/{token.pk}/delete/")
    return "dsrhub.apitoken", token.pk


@doing("admin", "token_deleted")
def delete_token_in_the_list(world):
    token = ApiToken.objects.get()
    world.delete_selected("dsrhub/apitoken/", token.pk)
    return "dsrhub.apitoken", token.pk


@doing("rest", "token_deleted")
def delete_expired_token_by_signing_in(world):
    token = recipes.token.make(user=world.ada, name=tokens.SIGN_IN, expires_at=timezone.now())
    create_token_over_rest(world)
    return "dsrhub.apitoken", token.pk


@doing("rest", "token_deleted")
def delete_least_used_token_by_signing_in(world, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_SIGN_INS", 1)
    token = recipes.token.make(user=world.ada, name=tokens.SIGN_IN)
    create_token_over_rest(world)
    return "dsrhub.apitoken", token.pk


@doing("command", "token_deleted")
def delete_token_by_the_command(world):
    token = ApiToken.objects.get()
    call_command("drf_create_token", "ada", "--reset", stdout=io.StringIO())
    return "dsrhub.apitoken", token.pk


@doing("admin", "token_revoked")
def revoke_token_by_own_password(world):
    change_own_password(world)
    return "dsrhub.apitoken", ApiToken.objects.get().pk


@doing("admin", "token_revoked")
def revoke_token_by_disabling_the_password(world):
    token = recipes.token.make(user=recipes.user.make())
    world.post(f"auth/user/{token.user_id}/password/", **{"usable_password": "false", "unset-password": "Disable"})
    return "dsrhub.apitoken", token.pk


@doing("command", "token_revoked")
def revoke_token_by_the_command(world, monkeypatch):
    change_password_by_the_command(world, monkeypatch)
    return "dsrhub.apitoken", ApiToken.objects.get().pk


@doing("rest", "token_created")
def create_token_over_rest(world):
    assert world.anonymous.post("/token/", {"username": "ada", "password": "lovelace"}).status_code == 200
    return "dsrhub.apitoken", ApiToken.objects.latest("pk").pk


@doing("command", "token_created")
def create_token_by_the_command(world):
    call_command("drf_create_token", "ada", stdout=io.StringIO())
    return "dsrhub.apitoken", ApiToken.objects.latest("pk").pk


@doing("rest", "subscription_added")
def add_subscription_over_rest(world):
    response = world.program.post("/subscriptions/", {"carrier": "att"}, content_type="application/json")
    return "subscriptions.subscription", response.json()["id"]


@doing("graphql", "subscription_added")
def add_subscription_over_graphql(world):
    world.graphql("mutation { createSubscription(carrier: sprint) { subscription { id } } }")
    return "subscriptions.subscription", Subscription.objects.get().pk


@doing("rest", "subscription_changed")
def change_subscription_over_rest(world):
    number = subscribe().pk
    path = f"/subscriptions/{number}/"
    assert world.program.patch(path, {"status": "expired"}, content_type="application/json").status_code == 200
    return "subscriptions.subscription", number


@doing("graphql", "subscription_changed")
def change_subscription_over_graphql(world):
    number = subscribe().pk
    world.graphql(f"mutation {{ changeSubscription(id: {number}, status: expired) {{ subscription {{ id }} }} }}")
    return "subscriptions.subscription", number


@doing("admin", "key_created")
def create_key_in_the_admin(world):
    form = {"user": world.ada.pk, "name": "meter", "scopes": ["write_usage"], "days": "30"}
    assert "not shown again" in world.admin.post("/admin/dsrhub/apikey/add/", form).content.decode()
    return "dsrhub.apikey", ApiKey.objects.get().pk


@doing("command", "key_created")
def create_key_by_the_command(world):
    call_command("api_keys", "create", "ada", "meter", "--scope", "write_usage", stdout=io.StringIO())
    return "dsrhub.apikey", ApiKey.objects.get().pk


@doing("admin", "key_rotated")
def rotate_key_in_the_admin(world):
    key = recipes.key.make(user=world.ada)
    page = world.admin.post(f"/admin/dsrhub/apikey/{key.pk}/rotate/", {"overlap_hours": "1"})
    assert "not shown again" in page.content.decode()
    return "dsrhub.apikey", key.pk


@doing("command", "key_rotated")
def rotate_key_by_the_command(world):
    key = recipes.key.make(user=world.ada)
    call_command("api_keys", "rotate", key.prefix, stdout=io.StringIO())
    return "dsrhub.apikey", key.pk


@doing("admin", "key_revoked")
def revoke_key_in_the_admin(world):
    key = recipes.key.make(user=world.ada)
    world.delete(f"dsrhub/apikey/{key.pk}/delete/")
    return "dsrhub.apikey", key.pk


@doing("admin", "key_revoked")
def revoke_key_in_the_list(world):
    key = recipes.key.make(user=world.ada)
    world.delete_selected("dsrhub/apikey/", key.pk)
    return "dsrhub.apikey", key.pk


@doing("command", "key_revoked")
def revoke_key_by_the_command(world):
    key = recipes.key.make(user=world.ada)
    call_command("api_keys", "revoke", key.prefix, stdout=io.StringIO())
    return "dsrhub.apikey", key.pk


# What an action also does has an entry of its own.
CONSEQUENCES = {
    # Only what was deleted can return, or be dropped.
    "dsr_reverted": {"dsr_deleted"},
    "versions_dropped": {"dsr_deleted"},
    "template_changed": {"template_added"},
    "template_deleted": {"template_added"},
    "password_changed": {"token_revoked"},
    "token_revoked": {"password_changed"},
    "token_deleted": {"token_created"},
}

# --- The walk --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("door", "action", "do"), ACTIONS, ids=[function.__name__ for *_, function in ACTIONS])
def test_each_action_of_each_door_leaves_one_entry(world, request, door, action, do):
    more = {name: request.getfixturevalue(name) for name in ("settings", "monkeypatch") if name in _names_of(do)}
    object_type, object_id = do(world, **more)
    entry = AuditEntry.objects.get(action=action)
    others = AuditEntry.objects.exclude(pk=entry.pk)
    assert {other.action for other in others} <= CONSEQUENCES.get(action, set())
    by_command, by_folder = door == "command", door == "folder"
    by_nobody = by_command or by_folder
    assert (entry.door, entry.action) == (door, action)
    assert (entry.object_type, entry.object_id) == (object_type, "" if object_id is None else str(object_id))
    assert (entry.user_number, entry.user_name) == ((None, "") if by_nobody else (world.ada.pk, "ada"))
    assert entry.address == ("" if by_nobody else ADDRESS)
    # A delivery in a folder has an id of its own, which the log has, too.
    assert re.fullmatch("[0-9a-f]{32}" if by_folder else "" if by_command else "request-1", entry.request_id)
    assert ("system_user" in entry.details) == by_command
    assert entry.details.get("folder") == (str(world.folder) if by_folder else None)
    assert entry.object_name
    # No entry has a secret.
    everything = json.dumps(list(AuditEntry.objects.values()), default=str)
    assert not any(secret in everything for secret in ("lovelace", "countess", "of L.", "md5$"))
    assert not re.search("[0-9a-f]{40}(?![0-9a-f])(?<![0-9a-f]{41})", everything)


def _names_of(function):
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def test_every_action_is_walked():
    assert {action for _, action, _ in ACTIONS} == set(Action.values)
    assert {door for door, *_ in ACTIONS} == set(actors.Door)


# --- Details ---------------------------------------------------------------------------------------------------


def test_a_deleted_dsr_is_told_with_its_key_and_its_totals(world):
    dsr = world.dsr()
    dsr_delete(dsr_number=dsr.pk)
    old = AuditEntry.objects.get().details["old"]
    assert old == {
        "status": "ingested",
        "path": NO_JANUARY,
        "sha256": dsr.sha256,
        "dsp": "Spotify",
        "offer": "SpotifyDuo",
        "society": None,
        "territory_id": "NO",
        "currency_id": "NOK",
        "period_start": "2020-01-01",
        "period_end": "2020-01-31",
        "commercial_model": None,
        "use_type": None,
        "subscriber_type": None,
        "line_count": 1,
        "total_usages": "0",
        "total_revenue": "1.5",
    }


def test_a_replacement_tells_what_was_there_and_what_came(world):
    earlier = world.dsr()
    replace_over_rest(world)
    details = AuditEntry.objects.get().details
    assert (details["old"]["id"], details["old"]["total_revenue"]) == (earlier.pk, "1.5")
    assert (details["new"]["line_count"], details["new"]["total_revenue"]) == (1, "0")


def test_a_rate_is_told_with_all_its_digits_before_and_after(world):
    digits = "0.000000000000000000000000000000000000000" + "1"
    catalogue_recipes.operator_rate.make(rate=Decimal(digits), note="our bank")
    call_command("set_exchange_rate", "NOK", "2020-01-01", "2020-01-31", "9.5")
    details = AuditEntry.objects.get().details
    assert (details["old"]["rate"], details["old"]["note"]) == (digits, "our bank")
    assert (details["new"]["rate"], details["new"]["note"], details["dsrs"]) == ("9.5", "", 0)


def test_deleted_usage_is_told_with_its_sums(world):
    someone = subscribe()
    add(event(someone, price="0.1", amount=3), event(someone, price="0.2", amount=4))
    ids = sorted(DataUsageRecord.objects.values_list("pk", flat=True))
    world.delete_selected("subscriptions/datausagerecord/", *ids)
    assert AuditEntry.objects.get().details == {"records": 2, "price": "0.3", "amount": "7", "ids": ids}


def test_permissions_are_told_by_name(world):
    bob = recipes.user.make(is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename="view_dsr"))
    form = user_form(bob, is_superuser="on", user_permissions=Permission.objects.get(codename="delete_dsr").pk)
    world.save(f"auth/user/{bob.pk}/change/", **form)
    changed = AuditEntry.objects.get().details["changed"]
    assert changed["is_superuser"] == {"old": False, "new": True}
    assert changed["is_staff"] == {"old": True, "new": False}
    assert changed["user_permissions"] == {"added": ["catalogue.delete_dsr"], "removed": ["catalogue.view_dsr"]}


def test_tokens_are_told_with_their_name_and_the_reason_of_their_end(world):
    delete_expired_token_by_signing_in(world)
    change_own_password(world)
    entries = AuditEntry.objects.filter(object_type="dsrhub.apitoken").order_by("pk")
    assert [(entry.action, entry.details) for entry in entries] == [
        ("token_deleted", {"reason": "expired"}),
        ("token_created", {"name": "POST /token/"}),
        ("token_revoked", {"reason": "password_changed"}),  # the program of the world
        ("token_revoked", {"reason": "password_changed"}),  # the sign-in
    ]


def test_a_password_revokes_only_the_valid_tokens_of_its_user_and_only_once(world):
    bob = recipes.user.make()
    valid = recipes.token.make(user=bob)
    recipes.token.make(user=bob, expires_at=timezone.now())
    for _ in range(2):
        change_password_of(world, bob)
    revoked = AuditEntry.objects.filter(action="token_revoked")
    assert [entry.object_id for entry in revoked] == [str(valid.pk)]
    assert AuditEntry.objects.filter(action="password_changed").count() == 2


# --- Both or neither -------------------------------------------------------------------------------------------


def test_a_change_that_is_rolled_back_leaves_no_entry(world):
    dsr = world.dsr()
    with transaction.atomic():
        dsr_delete(dsr_number=dsr.pk)
        assert AuditEntry.objects.count() == 1
        transaction.set_rollback(True)
    assert DSR.objects.get() == dsr
    assert not AuditEntry.objects.exists()


def test_a_refused_change_leaves_no_entry(world):
    # Without the operator's rate, the DSR has none: the ECB has no rate of this currency.
    rate = catalogue_recipes.operator_rate.make(currency_id="AED")
    catalogue_recipes.dsr.make(currency_id="AED", exchange_rate=rate.rate, rate_method="operator")
    with pytest.raises(ExchangeRateMissing):
        operator_rate_delete(operator_rate=rate)
    with pytest.raises(DSRNotFound):
        dsr_delete(dsr_number=0)
    assert not AuditEntry.objects.exists()


def test_a_dry_run_leaves_no_entry(world):
    world.dsr()
    call_command("import_dsr", write_report(world.folder, NO_JANUARY, line("b")), "--replace", "--dry-run")
    assert not AuditEntry.objects.exists()


def test_without_its_entry_a_change_is_rolled_back(world, monkeypatch):
    dsr = world.dsr()
    monkeypatch.setattr(AuditEntry.objects, "bulk_create", _fail)
    with pytest.raises(DatabaseError):
        dsr_delete(dsr_number=dsr.pk)
    assert DSR.objects.get() == dsr


def test_without_its_entry_no_user_is_deleted_and_no_password_changed(world, monkeypatch):
    bob = recipes.user.make()
    world.admin.raise_request_exception = False
    monkeypatch.setattr("django.contrib.admin.models.LogEntry.objects.log_actions", _fail)
    new = {"usable_password": "true", "password1": "countess of", "password2": "countess of"}
    assert world.admin.post(f"/admin/auth/user/{bob.pk}/password/", new).status_code == 500
    action = {"action": "delete_selected", "_selected_action": bob.pk, "post": "yes"}
    assert world.admin.post("/admin/auth/user/", action).status_code == 500
    # The entries came before the failures.
    assert not AuditEntry.objects.exists()
    bob.refresh_from_db()
    assert bob.check_password("lovelace")


def _fail(*_, **__):
    raise DatabaseError


# --- Append-only -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE {} SET user_name = 'eve'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_an_entry(statement):
    recipes.audit_entry.make()
    with pytest.raises(DatabaseError, match="can only be appended to"), connection.cursor() as cursor:
        cursor.execute(statement.format("dsrhub_auditentry"))
    assert AuditEntry.objects.get().user_name == "ada"


def test_an_entry_outlives_its_user(world):
    bob = recipes.superuser.make(username="bob")
    dsr_delete(dsr_number=world.dsr().pk, user=bob)
    number = bob.pk
    bob.delete()
    entry = AuditEntry.objects.get()
    assert (entry.user_number, entry.user_name) == (number, "bob")


def test_texts_of_entries_are_short_and_print():
    audit(Action.RATES_LOADED, EcbRate, name="a\0\n\x1b" + "é" * 1000, details={"note": ["\0" * 500], "day": date.min})
    entry = AuditEntry.objects.get()
    assert entry.object_name.startswith("a\\x00\\n\\x1bé")
    assert len(entry.object_name) == len(entry.details["note"][0]) == 255
    assert entry.details["day"] == "0001-01-01"


# --- The page --------------------------------------------------------------------------------------------------


def test_the_list_is_filtered_and_searched(world):
    for name, action, door in (("ada", "dsr_deleted", "rest"), ("bob", "rate_set", "admin")):
        recipes.audit_entry.make(user_name=name, action=action, door=door)

    def names(**query):
        page = world.admin.get("/admin/dsrhub/auditentry/", query)
        return [entry.user_name for entry in page.context["cl"].result_list]

    assert names() == ["bob", "ada"]
    assert names(q="bob") == names(door__exact="admin") == names(action__exact="rate_set") == ["bob"]
    assert names(q="report.tsv") == ["bob", "ada"]
    assert names(at__year="2000") == []


@pytest.mark.parametrize(
    ("language", "kind", "action", "door"),
    [
        ("en", "earlier version", "rate set", "command"),
        ("es", "versión anterior", "tipo de cambio fijado", "comando"),
        ("fr", "version antérieure", "taux de change défini", "commande"),
    ],
)
def test_pages_call_types_actions_and_doors_as_their_reader_does(world, language, kind, action, door):
    entry = recipes.audit_entry.make(object_type="catalogue.supersededdsr", action="rate_set", door="command")
    for path in ("", f"{entry.pk}/change/"):
        page = world.admin.get(f"/admin/dsrhub/auditentry/{path}", headers={"Accept-Language": language})
        shown = re.sub("<[^>]*>", "\n", page.content.decode())
        assert {kind, action, door} <= {line.strip() for line in shown.splitlines()}
        assert not re.search("supersededdsr|rate_set", shown)


def test_a_type_of_an_earlier_release_is_shown_by_its_code(world):
    recipes.audit_entry.make(object_type="catalogue.gone")
    assert ">catalogue.gone</td>" in world.admin.get("/admin/dsrhub/auditentry/").content.decode()


def test_the_page_of_an_entry_has_its_time_and_its_details(world):
    entry = recipes.audit_entry.make(details={"old": {"path": "<b>é.tsv"}})
    text = world.admin.get(f"/admin/dsrhub/auditentry/{entry.pk}/change/").content.decode()
    assert f"{entry.at:%Y-%m-%d %H:%M}" in text
    assert "&quot;path&quot;: &quot;&lt;b&gt;é.tsv&quot;" in text


def test_the_export_has_the_rows_of_the_list(world):
    recipes.audit_entry.make(details={"old": {"rate": "9.5"}})
    recipes.audit_entry.make(door="admin")
    form = {"format": "0", "resource": "0"}
    response = world.admin.post("/admin/dsrhub/auditentry/export/?door__exact=rest", form)
    (row,) = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode()))
    assert (row["user_name"], row["action"], row["address"]) == ("ada", "dsr_deleted", "192.0.2.1")
    assert json.loads(row["details"]) == {"old": {"rate": "9.5"}}


def test_nobody_can_delete_or_change_entries_in_the_admin(world):
    entry = recipes.audit_entry.make()
    at = "/admin/dsrhub/auditentry/"
    assert "delete_selected" not in world.admin.get(at).content.decode()
    for path in ("add/", f"{entry.pk}/delete/", f"{entry.pk}/change/"):
        assert world.admin.post(at + path, {"post": "yes", "user_name": "eve"}).status_code == 403
    world.admin.post(at, {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"})
    assert AuditEntry.objects.get().user_name == "ada"
