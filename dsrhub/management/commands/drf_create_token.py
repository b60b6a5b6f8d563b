from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.authtoken.management.commands import drf_create_token

from dsrhub.access.tokens import token_create, tokens_revoke
from dsrhub.models import ApiToken


class Command(drf_create_token.Command):
    """Django REST framework's command would store the key itself. This one stores its hash, with an audit entry."""

    help = "Create a token for a user and print its key, which is shown only once."

    def create_user_token(self, username: str, reset_token: bool) -> ApiToken:  # type: ignore[override]
        user = User.objects.get_by_natural_key(username)
        with transaction.atomic():
            if reset_token:
                tokens_revoke(user)
            return token_create(user=user, name="drf_create_token", created_by=None)
