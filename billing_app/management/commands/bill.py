"""``manage.py bill --period 2026-10``: make the invoices of a month now."""

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from billing_app.errors import PeriodUnfinished
from billing_app.services.invoicing import BilledRun, bill_due, bill_period
from one_project.accounts.models import Organisation


class Command(BaseCommand):
    help = (
        "Make the invoices of a month that has ended (in UTC), of all organisations or of one. "
        "What was billed before stays as it is, so it is safe to run again, and at the same time. "
        "Without --period: every month that is due, as the worker does by itself from the 2nd on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--period", help="the month, e.g. 2026-10")
        parser.add_argument("--organisation", help="the slug of one organisation")

    def handle(self, *args: Any, **options: Any) -> None:
        period = _month(options["period"])
        only = self._organisation(options["organisation"])
        if period is None:
            if only is not None:
                raise CommandError("Say which month: --period 2026-10.")
            run = bill_due()
        else:
            try:
                run = bill_period(period, only)
            except PeriodUnfinished as error:
                raise CommandError(error.user_message) from error
        self._say(run)

    def _organisation(self, slug: str | None) -> list[UUID] | None:
        if slug is None:
            return None
        found = list(Organisation.objects.filter(slug=slug).values_list("pk", flat=True))
        if not found:
            raise CommandError(f"There is no organisation {slug}.")
        return found

    def _say(self, run: BilledRun) -> None:
        self.stdout.write(f"{run.months} months of organisations billed, {run.invoices} invoices")
        held_up = {each[0] for each in run.blocked} | {each[0] for each in run.failed}
        slugs = dict(Organisation.objects.filter(pk__in=held_up).values_list("pk", "slug"))
        for organisation_id, period, reason in run.blocked:
            self.stderr.write(f"{slugs.get(organisation_id)} {period:%Y-%m}: {reason}")
        for organisation_id, period in run.failed:
            self.stderr.write(f"{slugs.get(organisation_id)} {period:%Y-%m}: failed, see the log")
        if held_up:
            raise CommandError(f"{len(held_up)} organisations could not be billed.")


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise CommandError("A month is written 2026-10.") from error
