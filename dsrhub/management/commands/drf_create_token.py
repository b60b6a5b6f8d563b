from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.authtoken.management.commands import drf_create_token

from dsrhub.audit import audit
from dsrhub.models import Action, ApiToken
from dsrhub.tokens import token_create, tokens_revoke


class Command(drf_create_token.Command):
    """Django REST framework's command would store the key itself. This one stores its hash, with an audit entry."""

    help = "Create a token for a user and print its key, which is shown only once."

    def create_user_token(self, username: str, reset_token: bool) -> ApiToken:  # type: ignore[override]
        user = User.objects.get_by_natural_key(username)
        with transaction.atomic():
            if reset_token:
                for revoked in tokens_revoke(user):
                    audit(Action.TOKEN_DELETED, ApiToken, number=revoked.pk, name=str(revoked))
            token = token_create(user=user, name="drf_create_token", created_by=None)
            audit(Action.TOKEN_CREATED, token)
        return token
