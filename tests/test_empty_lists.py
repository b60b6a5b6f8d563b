"""A list that is still empty says what it is for."""

import pytest

LISTS = {
    "/admin/catalogue/importjob/": "The files that people upload",
    "/admin/catalogue/partyalias/": "An alias says under which name dsrhub knows it.",
    "/admin/auth/group/": "A group gives all of its users the same permissions",
    "/admin/dsrhub/apitoken/": "A program with a token may do all that its user may.",
}


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "text"), LISTS.items(), ids=LISTS)
def test_an_empty_list_says_what_it_is_for(admin_client, address, text):
    assert text in admin_client.get(address).content.decode()
    assert text not in admin_client.get(address, {"q": "nothing"}).content.decode()


@pytest.mark.django_db
def test_the_question_for_a_price_limit_says_what_it_asks(admin_client):
    address = "/admin/subscriptions/subscription/over-limit/"
    hint = "This asks only, and sets no limit."
    assert hint in admin_client.get(address).content.decode()
    assert hint not in admin_client.get(address, {"price_limit": "5"}).content.decode()
