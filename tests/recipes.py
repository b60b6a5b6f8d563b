"""Recipes of model-bakery for users, their groups, tokens and keys, and for entries of the audit log."""

from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from model_bakery.recipe import Recipe, foreign_key
from rest_framework.authtoken.models import Token

from dsrhub.access.keys import new_key
from dsrhub.access.tokens import new_token
from dsrhub.models import Action, ApiKey, ApiToken, AuditEntry
from dsrhub.scopes import Scope

# The password of every user of the recipes.
PASSWORD = "lovelace"

user = Recipe(User, username="bob", password=lambda: make_password(PASSWORD))
# A staff user without any permission.
staff = user.extend(is_staff=True)
superuser = user.extend(username="ada", is_staff=True, is_superuser=True)
group = Recipe(Group, name="editors")
audit_entry = Recipe(
    AuditEntry,
    user_name="ada",
    door="rest",
    address="192.0.2.1",
    action=Action.DSR_DELETED,
    object_type="catalogue.dsr",
    object_id="1",
    object_name="report.tsv",
)


class TokenRecipe(Recipe):
    """Makes a token as the product does, with its `key`, which is in no column, but without an audit entry."""

    def make(self, **attributes: Any) -> ApiToken:
        owner = attributes.pop("user", None) or user.make()
        token = new_token(user=owner, name="a program", created_by=owner)
        for name, value in attributes.items():
            setattr(token, name, value)
        token.save()
        return token


token = TokenRecipe(ApiToken)


class KeyRecipe(Recipe):
    """Makes a key as the product does, with its `secret`, which is in no column, but without an audit entry."""

    def make(self, **attributes: Any) -> ApiKey:
        owner = attributes.pop("user", None) or user.make()
        scopes = attributes.pop("scopes", Scope.values)
        key = new_key(user=owner, name="a program", scopes=scopes, days=30, created_by=owner)
        for name, value in attributes.items():
            setattr(key, name, value)
        key.save()
        return key


# A key with all scopes.
key = KeyRecipe(ApiKey)
# A token of the table that the releases before used.
old_token = Recipe(Token, key=Token.generate_key, user=foreign_key(user))
