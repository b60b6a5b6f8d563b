from argparse import ArgumentParser
from typing import Any

from catalogue.lines.cluster import lines_distribute
from dsrhub.commands import DsrhubCommand, whole_number


class Command(DsrhubCommand):
    help = (
        "Spread the lines of all DSRs over the nodes of a cluster of Citus, by their dsp_id. Everything else stays on "
        "the coordinator. No server and no worker may run meanwhile. What is spread already stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--shards", type=whole_number, help="over how many shards; by default four for each node")
        parser.add_argument("--dry-run", action="store_true", help="only name the steps")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        is_done = True
        for step in lines_distribute(shards=options["shards"], dry_run=dry_run):
            is_done = False
            self.stdout.write(step)
        if is_done:
            self.stdout.write("Nothing is to be done.")
        elif not dry_run:
            self.stdout.write("Done. Start servers and workers again.")
