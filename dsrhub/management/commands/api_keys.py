from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from dsrhub.access.keys import OVERLAP_HOURS, key_create, key_get, key_list, key_revoke, key_rotate
from dsrhub.commands import DsrhubCommand, whole_number
from dsrhub.scopes import Scope


class Command(DsrhubCommand):
    help = (
        "Create, list, rotate and revoke the API keys of programs. A secret is printed only once, when it is created."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="create a key, and print its secret")
        create.add_argument("user", help="the name of the owner")
        create.add_argument("name", help="the program that uses the key")
        scope = "what the key may be used for; may be given several times"
        create.add_argument("--scope", action="append", choices=Scope.values, required=True, help=scope)
        create.add_argument("--days", type=whole_number, help="the days until it expires (default: DSRHUB_TOKEN_DAYS)")
        listed = verbs.add_parser("list", help="list the keys, without their secrets")
        listed.add_argument("--user", help="only those of this owner")
        rotate = verbs.add_parser("rotate", help="create a key in the place of another one, and print its secret")
        rotate.add_argument("prefix", help="what the key starts with, such as dsrhub_0123456789ab")
        overlap = f"for how many hours the earlier key still works (default: {OVERLAP_HOURS})"
        rotate.add_argument("--overlap-hours", type=whole_number, default=OVERLAP_HOURS, help=overlap)
        revoke = verbs.add_parser("revoke", help="revoke a key at once")
        revoke.add_argument("prefix", help="what the key starts with")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["verb"])(options)

    def create(self, options: dict[str, Any]) -> None:
        user = _user(options["user"])
        key = key_create(
            user=user, name=options["name"], scopes=options["scope"], days=options["days"], created_by=None
        )
        self.stdout.write(key.secret)

    def list(self, options: dict[str, Any]) -> None:
        user = None if options["user"] is None else _user(options["user"])
        for key in key_list(user=user).iterator():
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
            facts = (key.prefix, key.name, key.user.get_username(), ",".join(key.scopes))
            self.stdout.write("\t".join((*facts, f"expires {key.expires_at:%Y-%m-%d %H:%M}", f"used {used}")))

    def rotate(self, options: dict[str, Any]) -> None:
        key = key_get(prefix=options["prefix"])
        self.stdout.write(key_rotate(key=key, overlap_hours=options["overlap_hours"], created_by=None).secret)

    def revoke(self, options: dict[str, Any]) -> None:
        key_revoke(key=key_get(prefix=options["prefix"]))
        self.stdout.write(f"{options['prefix']} is revoked.")


def _user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no user {name!r}.")
    return user
