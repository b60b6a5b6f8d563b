from typing import Any

from dsrhub.commands import DsrhubCommand
from dsrhub.tokens import old_tokens_forget


class Command(DsrhubCommand):
    help = (
        "Delete the keys of tokens that older versions stored. The tokens keep working, by their hashes. "
        "Run it when no server of an older version runs any more: it would not know any token afterwards."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{old_tokens_forget()} keys deleted. Older backups still contain them.")
