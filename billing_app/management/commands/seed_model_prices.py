"""``manage.py seed_model_prices``: what models cost, from the library; again changes nothing."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from billing_app.services.prices import price_drift, seed_prices


class Command(BaseCommand):
    help = "Bring the prices of models up to the installed version of genai-prices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--drift", action="store_true", help="change nothing, list what differs now"
        )

    def handle(self, *args: Any, drift: bool = False, **options: Any) -> None:
        if drift:
            self._list_drift()
            return
        seeded = seed_prices()
        self.stdout.write(
            f"genai-prices {seeded.version}: {seeded.added} prices added, {seeded.closed} closed, "
            f"{seeded.unchanged} as before, {seeded.kept_of_people} left to people."
        )
        if seeded.with_hours:
            names = ", ".join(seeded.with_hours)
            self.stdout.write(f"Dearer at some hours, which are not taken over: {names}.")

    def _list_drift(self) -> None:
        found = price_drift()
        for each in found:
            ours, listed = (
                "-" if price is None else f"{price.normalize():f}"
                for price in (each.ours, each.listed)
            )
            where = " ".join(str(part) for part in each.key if part not in ("", 0))
            self.stdout.write(f"{each.kind:8} {where}: here {ours}, listed {listed}")
        self.stdout.write(f"{len(found)} differences.")
