"""``manage.py new_credential_key``: a fresh key for ONE_CREDENTIAL_KEYS."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from one_project.common.sealing import new_key


class Command(BaseCommand):
    help = (
        "Print a fresh key as it stands in ONE_CREDENTIAL_KEYS (id:key). Put it in front of the "
        "others, separated by a comma, restart everything, then run rotate_credentials."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--id", default="", help="its name; by default one with today's date")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["id"] or f"k{timezone.now():%Y%m%d}"
        self.stdout.write(f"{name}:{new_key()}")
