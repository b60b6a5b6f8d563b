"""Recipes of model-bakery for users and their tokens."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from model_bakery.recipe import Recipe, foreign_key
from rest_framework.authtoken.models import Token

# The password of every user of the recipes.
PASSWORD = "lovelace"

user = Recipe(User, username="bob", password=lambda: make_password(PASSWORD))
staff = user.extend(is_staff=True)
superuser = user.extend(username="ada", is_staff=True, is_superuser=True)
token = Recipe(Token, user=foreign_key(user))
