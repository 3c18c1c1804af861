"""``manage.py reconcile``: check the books now, and say what was found."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing_app.runtime.standing import broken_numbers
from billing_app.services.reconciling import reconcile


class Command(BaseCommand):
    help = "Check that usage, wallets and invoices agree. Fails where they do not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--full", action="store_true", help="look for calls without usage in all months"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        check = reconcile(full=options["full"])
        for each in check.findings:
            state = "ok " if each["is_ok"] else "RED"
            self.stdout.write(
                f"{each['number']} {state} {each['name']}: {each['checked']:,} checked, "
                f"difference {each['difference']} {each['detail']}".rstrip()
            )
        self.stdout.write(f"{check.duration_ms / 1000:,.1f} s")
        if not check.is_ok:
            raise CommandError(f"{len(broken_numbers(check))} do not hold.")
