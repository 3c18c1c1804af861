"""Check 4: sums by day against the rows they were made of."""

from dataclasses import replace
from typing import Final

from billing_app.models import RollUpMark, UsageDaily, UsageDailyByPerson
from billing_app.runtime.invariants import IN_FLIGHT, Finding, Wrong, finding, rows
from billing_app.types.money import ZERO

# Both tables are sums of the same rows, divided otherwise. Rows are read once and added up by day
# of an organisation; that they are divided as they should be is seen by a second sum, in which each
# counts as often as a number made of its group says: groups that differ give other sums. (To add
# rows up by group, millions of them, and to compare those takes ten times as long.)
_AGENT: Final = """(hashtextextended(provider, 1) # hashtextextended(model, 2)
    # hashtextextended(agent_name, 3) # coalesce(uuid_hash_extended(agent_id, 4), 0)) & 1048575"""
_PERSON: Final = """(hashtextextended(provider, 1) # hashtextextended(model, 2)
    # coalesce(uuid_hash_extended(user_id, 3), 0)
    # coalesce(uuid_hash_extended(team_id, 4), 0)) & 1048575"""
_WEIGHED: Final = """(cost + 3 * calls + 5 * input_tokens + 7 * cached_input_tokens
    + 11 * cache_write_tokens + 13 * output_tokens + 17 * reasoning_tokens + 19 * estimated_calls
    + 23 * unpriced_calls)"""
_COMPARED: Final = """
WITH fresh AS (
    SELECT DISTINCT organisation_id, (occurred_at AT TIME ZONE 'UTC')::date AS day
    FROM billing_app_usagerecord WHERE recorded_at >= %s
), counted AS (
    SELECT organisation_id, (occurred_at AT TIME ZONE 'UTC')::date AS day, provider, model,
        agent_id, agent_name, user_id, team_id, 1::bigint AS calls, input_tokens,
        cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
        (is_estimated OR pricing = 'flat')::int::bigint AS estimated_calls,
        (cost IS NULL)::int::bigint AS unpriced_calls, coalesce(cost, 0) AS cost
    FROM billing_app_usagerecord
    WHERE occurred_at < %s::date::timestamp AT TIME ZONE 'UTC'
), used AS (
    SELECT organisation_id, day, count(*) AS calls, sum(cost) AS cost,
        sum({weighed} * ({agent})) AS by_agent, sum({weighed} * ({person})) AS by_person
    FROM counted GROUP BY organisation_id, day
), both_of AS (
    SELECT 'by agent' AS sums, organisation_id, day, sum(calls) AS calls, sum(cost) AS cost,
        sum({weighed} * ({agent})) AS weighed
    FROM billing_app_usagedaily WHERE day < %s GROUP BY organisation_id, day
    UNION ALL
    SELECT 'by agent', organisation_id, day, -calls, -cost, -by_agent FROM used
    UNION ALL
    SELECT 'by person', organisation_id, day, sum(calls), sum(cost),
        sum({weighed} * ({person}))
    FROM billing_app_usagedailybyperson WHERE day < %s GROUP BY organisation_id, day
    UNION ALL
    SELECT 'by person', organisation_id, day, -calls, -cost, -by_person FROM used
), off_by AS (
    SELECT sums, organisation_id, day, sum(calls) AS calls, sum(cost) AS cost
    FROM both_of GROUP BY sums, organisation_id, day
    HAVING sum(calls) <> 0 OR sum(cost) <> 0 OR sum(weighed) <> 0
)
SELECT off_by.sums, coalesce(o.slug, 'the installation'), off_by.day, off_by.calls, off_by.cost
FROM off_by LEFT JOIN accounts_organisation o ON o.id = off_by.organisation_id
WHERE NOT EXISTS (
    SELECT FROM fresh WHERE fresh.day = off_by.day
        AND fresh.organisation_id IS NOT DISTINCT FROM off_by.organisation_id
) ORDER BY 1, 2, 3
"""
_DIFFERENCES: Final = _COMPARED.format(weighed=_WEIGHED, agent=_AGENT, person=_PERSON)


def summed_up() -> Finding:
    """4: both roll-ups equal the rows, day by day of an organisation. Days for which something was
    recorded since they were made are left to the next run."""
    mark = RollUpMark.objects.filter(through__isnull=False, seen_at__isnull=False).first()
    checked = UsageDaily.objects.count() + UsageDailyByPerson.objects.count()
    wrong: list[Wrong] = []
    by_table = {"by agent": ZERO, "by person": ZERO}
    if mark is not None and mark.seen_at is not None:
        through = mark.through
        since = mark.seen_at - IN_FLIGHT
        for sums, slug, day, calls, cost in rows(_DIFFERENCES, since, through, through, through):
            what = f"{cost.normalize():f}, {calls} calls" if cost or calls else "divided otherwise"
            wrong.append(Wrong(f"{sums}, {slug} {day}: {what}", cost))
            by_table[sums] += abs(cost)
    said = finding(4, "Sums by day and raw usage (US dollars)", checked, wrong)
    # The same rows are in both: what is wrong with them counts once.
    return replace(said, difference=max(by_table.values()))
