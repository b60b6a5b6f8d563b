from typing import Any

from dsrhub.access.tokens import old_tokens_forget
from dsrhub.commands import DsrhubCommand


class Command(DsrhubCommand):
    help = (
        "Delete the keys of tokens that older versions stored. The tokens keep working, by their hashes. "
        "Run it when no server of an older version runs any more: it would not know any token afterwards."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{old_tokens_forget()} keys deleted. Older backups still contain them.")
