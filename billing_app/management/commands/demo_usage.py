"""``manage.py demo_usage``: a year of usage to look at, with its invoices; only with DEBUG on."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing_app.services.demo_usage.budgets import set_demo_budgets
from billing_app.services.demo_usage.year import make_demo_usage
from one_project.accounts.models import Organisation
from one_project.common.errors import AppError

MOST_MONTHS = 60
MOST_ROWS = 100_000_000


class Command(BaseCommand):
    help = (
        "Make up usage of an organisation: whole months up to the last one, and this one up to "
        "yesterday. The same seed makes the same. With --bill each month gets its invoices "
        "(DEBUG only)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organisation", default="one", help="its slug")
        parser.add_argument("--months", type=int, default=12)
        parser.add_argument("--rows", type=int, default=20_000)
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--bill", action="store_true", help="make the invoices, too")
        parser.add_argument(
            "--again", action="store_true", help="write what was made before once more"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Usage is made up with DEBUG only.")
        months, rows = options["months"], options["rows"]
        if not 1 <= months <= MOST_MONTHS or not 1 <= rows <= MOST_ROWS:
            raise CommandError(
                f"Between 1 and {MOST_MONTHS} months, and 1 and {MOST_ROWS:,} rows, please."
            )
        slug = options["organisation"]
        organisation = Organisation.objects.filter(slug=slug).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {slug!r}.")
        try:
            made = make_demo_usage(
                organisation,
                months=months,
                rows=rows,
                seed=options["seed"],
                bill=options["bill"],
                again=options["again"],
                say=self.stdout.write,
            )
            set_demo_budgets(organisation)
        except AppError as error:
            raise CommandError(error.user_message) from error
        self.stdout.write(
            f"{organisation}: {made.rows:,} calls added ({made.late:,} of them recorded late), "
            f"{sum(made.invoices.values()):,} invoices of {len(made.invoices)} months."
        )
