"""Aliases in the admin: their checks, their effect on imports, and the renaming of DSRs that are there."""

import pytest
from django.core.management import CommandError, call_command

from catalogue.models import DSR, PartyAlias
from dsrhub.models import AuditEntry
from tests.catalogue import recipes
from tests.catalogue.helpers import import_report, line, staff_with
from tests.catalogue.sample_message import import_message
from tests.confirming import save, shown_on

pytestmark = pytest.mark.django_db(transaction=True)

ALIASES = "/admin/catalogue/partyalias/"
OLD_JANUARY = "Spotify AB_Duo_ES_EUR_20200101-20200131.tsv"
NEW_JANUARY = "Spotify_Duo_ES_EUR_20200101-20200131.tsv"


def form(**fields):
    return {"role": "dsp", "party_id": "", "party_name": "Spotify AB", "known_as": "Spotify"} | fields


def page_messages(response):
    return [str(one) for one in response.context["messages"]]


def rename_page(alias, name="Spotify+AB"):
    return f"{ALIASES}{alias.pk}/rename/?name={name}"


def stored():
    return list(PartyAlias.objects.values_list("role", "party_id", "party_name", "known_as"))


# --- Saving ----------------------------------------------------------------------------------------------------


def test_an_alias_is_added_and_names_the_dsrs_of_later_messages(admin_client, tmp_path):
    admin_client.post(f"{ALIASES}add/", form(party_id="PADPIDA2026000001A", party_name="", known_as="Tonbank Music"))
    admin_client.post(f"{ALIASES}add/", form(role="society", party_name="SocietyX", known_as="Society X"))
    assert stored() == [("dsp", "PADPIDA2026000001A", "", "Tonbank Music"), ("society", "", "SocietyX", "Society X")]
    message = import_message(tmp_path)
    assert set(message.dsrs.values_list("dsp", "society")) == {("Tonbank Music", "Society X")}


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"party_name": ""}, {"party_id": "Enter the party id, or the name in messages, or both."}),
        ({"known_as": ""}, {"known_as": "This field is required."}),
        ({"role": "label"}, {"role": "Select a valid choice. label is not one of the available choices."}),
        ({"known_as": "Spotify AB"}, {"known_as": "This is the name in messages. Enter another one."}),
        ({"party_name": "Taken"}, {"party_name": "This name has an alias already: it is known as “Other”."}),
        ({"party_id": "P1"}, {"party_id": "This party id has an alias already: it is known as “Other”."}),
        ({"known_as": "Taken"}, {"known_as": "This name has an alias itself. Enter “Other”."}),
        (
            {"party_name": "Other", "known_as": "Third"},
            {"party_name": "Other aliases lead to this name. Let them lead to the new name first."},
        ),
        ({"known_as": "x" * 101}, {"known_as": "Ensure this value has at most 100 characters (it has 101)."}),
    ],
)
def test_an_invalid_alias_is_refused_next_to_its_field(admin_client, fields, problems):
    recipes.party_alias.make(party_id="P1", party_name="Taken", known_as="Other")
    response = admin_client.post(f"{ALIASES}add/", form(**fields))
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert {name: " ".join(texts) for name, texts in errors.items()} == problems
    assert PartyAlias.objects.count() == 1


def test_the_same_name_may_be_a_dsp_and_a_society(admin_client):
    recipes.party_alias.make()
    admin_client.post(f"{ALIASES}add/", form(role="society"))
    assert PartyAlias.objects.count() == 2


def test_an_edit_of_a_page_that_is_outdated_is_refused(admin_client):
    alias = recipes.party_alias.make()
    shown = shown_on(admin_client.get(f"{ALIASES}{alias.pk}/change/"))
    PartyAlias.objects.update(known_as="Spotify Music")
    response = admin_client.post(f"{ALIASES}{alias.pk}/change/", form(known_as="S") | shown, follow=True)
    assert page_messages(response)[0].startswith("Nothing was saved.")
    assert PartyAlias.objects.get().known_as == "Spotify Music"


# --- Renaming --------------------------------------------------------------------------------------------------


def test_after_an_alias_is_saved_its_dsrs_are_offered_to_be_renamed(admin_client, tmp_path):
    old = import_report(tmp_path, OLD_JANUARY, line("a"), line("b"))
    other = import_report(tmp_path, NEW_JANUARY.replace("_ES_", "_FR_"), line("a"))
    page = admin_client.post(f"{ALIASES}add/", form(), follow=True)
    alias = PartyAlias.objects.get()
    assert page.redirect_chain == [(rename_page(alias), 302)]
    text = page.content.decode()
    assert "DSRs of the DSP <strong>Spotify AB</strong> will be DSRs of <strong>Spotify</strong>." in text
    assert page.context["dsr_count"] == "1"
    assert page.context["line_count"] == "2"
    assert "DSRs of Spotify that are there already: 1." in text
    response = save(admin_client, rename_page(alias), {"name": "Spotify AB", "known_as": "Spotify"}, follow=True)
    assert page_messages(response) == ["1 DSR is now of Spotify."]
    assert dict(DSR.objects.values_list("pk", "dsp")) == {old.pk: "Spotify", other.pk: "Spotify"}
    assert AuditEntry.objects.get(action="party_renamed").user_name == "admin"
    # Nothing is left to be offered.
    assert f"{ALIASES}{alias.pk}/rename/" not in admin_client.get(f"{ALIASES}{alias.pk}/change/").content.decode()


def test_a_changed_alias_offers_the_dsrs_of_the_name_before(admin_client, tmp_path):
    import_report(tmp_path, NEW_JANUARY, line("a"))
    alias = recipes.party_alias.make()
    response = save(admin_client, f"{ALIASES}{alias.pk}/change/", form(known_as="Spotify Music"))
    assert response["Location"] == rename_page(alias, "Spotify")


def test_an_alias_of_a_party_id_offers_the_names_in_its_messages(admin_client, tmp_path):
    import_message(tmp_path)
    fields = form(party_id="PADPIDA2026000001A", party_name="", known_as="Tonbank Music")
    page = admin_client.post(f"{ALIASES}add/", fields, follow=True)
    alias = PartyAlias.objects.get()
    assert page.redirect_chain == [(rename_page(alias, "Tonbank"), 302)]
    save(admin_client, rename_page(alias, "Tonbank"), {"name": "Tonbank", "known_as": "Tonbank Music"})
    assert set(DSR.objects.values_list("dsp", flat=True)) == {"Tonbank Music"}


def test_nothing_is_offered_without_dsrs_or_without_the_permission(client, admin_client, tmp_path):
    assert admin_client.post(f"{ALIASES}add/", form(party_name="Deezer SA", known_as="Deezer"))["Location"] == ALIASES
    import_report(tmp_path, OLD_JANUARY, line("a"))
    client.force_login(staff_with("add_partyalias", "view_partyalias"))
    assert client.post(f"{ALIASES}add/", form())["Location"] == ALIASES
    alias = PartyAlias.objects.get(party_name="Spotify AB")
    assert f"{ALIASES}{alias.pk}/rename/" not in client.get(f"{ALIASES}{alias.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (("view_partyalias", "change_dsr"), 200),
        (("change_partyalias", "change_dsr"), 200),
        (("change_partyalias", "view_dsr", "delete_dsr"), 403),
        (("change_dsr", "view_dsr"), 403),
    ],
)
def test_a_renaming_needs_both_permissions(client, permissions, status):
    recipes.dsr.make(dsp="Spotify AB")
    alias = recipes.party_alias.make()
    client.force_login(staff_with(*permissions))
    assert client.get(rename_page(alias)).status_code == status
    response = save(client, rename_page(alias), {"name": "Spotify AB", "known_as": "Spotify"})
    assert response.status_code == (302 if status == 200 else 403)
    assert DSR.objects.get().dsp == ("Spotify" if status == 200 else "Spotify AB")


def test_collisions_are_listed_and_nothing_can_be_confirmed(admin_client):
    old, new = recipes.dsr.make(dsp="Spotify AB"), recipes.dsr.make(dsp="Spotify")
    alias = recipes.party_alias.make()
    page = admin_client.get(rename_page(alias))
    text = page.content.decode()
    assert page.context["collision_count"] == "1"
    assert f"DSR {old.pk}: " in text
    assert f"DSR {new.pk}: " in text
    assert 'name="shown"' not in text
    form = {"name": "Spotify AB", "known_as": "Spotify", "shown": page.context["shown"]}
    response = admin_client.post(rename_page(alias), form, follow=True)
    assert page_messages(response) == [
        "Nothing was renamed. Under the name Spotify, these DSRs would have the same key: "
        f"{old.pk} and {new.pk}. Delete one of each pair."
    ]
    assert set(DSR.objects.values_list("dsp", flat=True)) == {"Spotify AB", "Spotify"}


@pytest.mark.parametrize("changed", ["another DSR", "the alias", "no digest"])
def test_only_what_was_shown_is_renamed(admin_client, changed):
    recipes.dsr.make(dsp="Spotify AB")
    alias = recipes.party_alias.make()
    form = {"name": "Spotify AB", "known_as": "Spotify"} | shown_on(admin_client.get(rename_page(alias)))
    if changed == "another DSR":
        recipes.dsr.make(dsp="Spotify AB", offer="Other")
    elif changed == "the alias":
        PartyAlias.objects.update(known_as="Spotify Music")
    else:
        del form["shown"]
    response = admin_client.post(rename_page(alias), form, follow=True)
    assert page_messages(response)[0].startswith("Nothing was renamed.")
    assert set(DSR.objects.values_list("dsp", flat=True)) == {"Spotify AB"}


@pytest.mark.parametrize("address", ["0/rename/?name=a", "{}/rename/", "9999999999999999999999/rename/?name=a"])
def test_a_renaming_without_an_alias_or_a_name_does_not_exist(admin_client, address):
    alias = recipes.party_alias.make()
    for send in (admin_client.get, admin_client.post):
        assert send(ALIASES + address.format(alias.pk)).status_code == 404


def test_names_are_escaped(admin_client):
    evil = "<script>alert(1)</script>"
    recipes.dsr.make(dsp=evil, path=evil)
    alias = recipes.party_alias.make(party_name=evil, known_as=evil + "2")
    for path in (ALIASES, f"{ALIASES}{alias.pk}/change/", f"{ALIASES}{alias.pk}/rename/?name={evil}"):
        text = admin_client.get(path).content.decode()
        assert "&lt;script&gt;alert(1)" in text, path
        assert "<script>alert(" not in text, path


# --- The command -----------------------------------------------------------------------------------------------


def test_the_command_renames(capsys):
    recipes.dsr.make(dsp="Spotify AB")
    call_command("rename_party", "dsp", "Spotify AB", "Spotify")
    assert capsys.readouterr().out == "DSRs renamed: 1.\n"
    assert DSR.objects.get().dsp == "Spotify"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dsp", "Nobody", "Spotify"), "No DSR has the DSP 'Nobody'."),
        (("society", "Spotify AB", "Spotify"), "No DSR has the society 'Spotify AB'."),
        (("label", "Spotify AB", "Spotify"), "invalid choice: 'label'"),
        (("dsp", "Spotify AB", ""), "'' is no name"),
        (("dsp", "Spotify AB", "a\nb"), r"'a\\nb' is no name"),
        (("dsp", "Spotify AB", "x" * 101), "is no name of a DSP or society"),
    ],
)
def test_the_command_refuses_what_cannot_be_renamed(arguments, message):
    recipes.dsr.make(dsp="Spotify AB")
    with pytest.raises(CommandError, match=message):
        call_command("rename_party", *arguments)
    assert DSR.objects.get().dsp == "Spotify AB"
