"""``manage.py rotate_credentials``: seal all secrets with the current key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from integrations_app.services.rotating import BATCH, rotate
from one_project.common.sealing import current_key_id, key_ids


class Command(BaseCommand):
    help = (
        "Seal all credentials, tokens and secret addresses with the first key of "
        "ONE_CREDENTIAL_KEYS, and prove that nothing is left on another one. Before: put the new "
        "key in front (see new_credential_key) and restart everything. After: take the old key "
        "away and restart. Safe while people work, and to run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=BATCH, help="rows of one transaction")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = rotate(max(1, options["batch"]))
        except OperationalError as error:
            raise CommandError("A row was held for too long; run it again.") from error
        for one in found:
            self.stdout.write(f"{one.name}: {one.resealed} sealed anew, {one.left} left")
            for key in one.broken[:20]:
                self.stderr.write(f"{one.name}: {key} does not open with any configured key")
        left = sum(one.left for one in found)
        if left:
            raise CommandError(f"{left} are still sealed with another key: keep the old ones.")
        others = ", ".join(key_ids()[1:])
        told = f" {others} may be taken away." if others else ""
        self.stdout.write(f"Everything is sealed with {current_key_id()}.{told}")
