"""The statement that writes the calls of some days: each from its number and the seed alone.

A number gives three hashes of 64 bits, cut into pieces of 16; every choice is one piece. Written
again, the rows have the same keys, and nothing is added.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from billing_app.services.demo_usage.calendar import Day
from billing_app.services.demo_usage.catalogue import Call
from billing_app.services.demo_usage.houses import House
from billing_app.services.demo_usage.tariffs import Tariff

# Of 65,536 calls: stopped, failed, nobody's, counted by us, recorded late.
STOPPED: Final = 1_310
FAILED: Final = 655
OF_NOBODY: Final = 2_620
UNCOUNTED: Final = 655
LATE: Final = 390

WRITE: Final = """
WITH days AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(days)s::jsonb) AS t (day date, first bigint, calls bigint)
), houses AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(houses)s::jsonb) AS t (
        place int, organisation_id uuid, people uuid[], teams uuid[], agents uuid[],
        agent_names text[])
), calls AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(calls)s::jsonb) AS t (
        slot int, call int, provider text, requested text, returned text, purpose text, tier text,
        input_from int, input_more int, output_from int, output_more int, cached int, written int,
        reasoned int, long int)
), tariffs AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(tariffs)s::jsonb) AS t (
        call int, since timestamptz, until timestamptz, "over" bigint, upto bigint, cached boolean,
        written boolean, said boolean, failed boolean, model text, pricing text, price jsonb,
        price_input numeric(18, 6), price_cached_input numeric(18, 6),
        price_cache_write numeric(18, 6), price_output numeric(18, 6))
), hashed AS (
    SELECT d.day, n, hashint8extended(n, %(seed)s * 3) AS a,
        hashint8extended(n, %(seed)s * 3 + 1) AS b, hashint8extended(n, %(seed)s * 3 + 2) AS c
    FROM days AS d, generate_series(d.first, d.first + d.calls - 1) AS n
), cut AS (
    SELECT day, n,
        (a & 65535)::int AS kind, ((a >> 16) & 65535)::int AS house,
        ((a >> 32) & 65535)::int AS person, ((a >> 48) & 65535)::int AS agent,
        (b & 65535)::int AS asked, ((b >> 16) & 65535)::int AS kept,
        ((b >> 32) & 65535)::int AS said, ((b >> 48) & 65535)::int AS thought,
        (c & 65535)::int AS hour, ((c >> 16) & 65535)::int AS minute,
        ((c >> 32) & 65535)::int AS fate, ((c >> 48) & 65535)::int AS luck
    FROM hashed
), placed AS (
    SELECT r.n, r.day, r.asked, r.kept, r.said, r.thought, r.fate, r.luck, r.minute,
        h.organisation_id, k.*,
        -- From 5 to 22 o'clock, most at noon; to the microsecond.
        (r.day::timestamp + interval '5 hours' + (r.hour + r.minute) * interval '467 ms'
            + (r.luck * 15) * interval '1 microsecond') AT TIME ZONE 'UTC' AS at,
        CASE WHEN r.fate NOT BETWEEN %(stopped)s AND %(nobody)s - 1 AND cardinality(h.people) > 0
            THEN 1 + ((r.person::bigint * cardinality(h.people)) >> 16) END AS member,
        CASE WHEN cardinality(h.agents) > 0
            THEN 1 + ((r.agent::bigint * cardinality(h.agents)) >> 16) END AS who,
        h.people, h.teams, h.agents, h.agent_names
    FROM cut AS r
    -- Early ones are larger: with a hundred the first has a tenth of everything.
    JOIN houses AS h ON h.place = ((r.house::bigint * r.house >> 16) * %(places)s) >> 16
    JOIN calls AS k ON k.slot = (r.kind::bigint * %(slots)s) >> 16
    WHERE (%(late)s::boolean IS NULL OR (r.luck < %(late_of)s) = %(late)s::boolean)
), counted AS (
    SELECT p.*, i.input, w.cached_input, w.cache_write, o.output,
        (o.output * reasoned * thought::bigint / 6553600)::bigint AS reasoning
    FROM placed AS p
    CROSS JOIN LATERAL (SELECT input_from + (input_more * (asked::bigint * asked >> 16) >> 16)
        + CASE WHEN long > 0 AND luck %% 32 = 7 THEN long ELSE 0 END AS input) AS i
    CROSS JOIN LATERAL (SELECT
        i.input * cached * kept / 6553600 AS cached_input,
        i.input * written * (65535 - kept) / 6553600 AS cache_write) AS w
    CROSS JOIN LATERAL (SELECT CASE
        WHEN fate < %(failed)s THEN 0
        WHEN fate < %(stopped)s THEN (output_from + (output_more * said::bigint >> 16)) / 8
        ELSE output_from + (output_more * (said::bigint * said >> 16) >> 16) END AS output) AS o
)
INSERT INTO billing_app_usagerecord (
    id, created_at, meta, organisation_id, user_id, team_id, agent_id, agent_name, thread_id,
    purpose, provider, model, model_requested, model_returned, service_tier, occurred_at,
    recorded_at, billing_period, input_tokens, cached_input_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, is_estimated, is_aborted, pricing, price_input,
    price_cached_input, price_cache_write, price_output, price, cost, currency)
SELECT
    (lpad(to_hex((extract(epoch FROM c.at) * 1000)::bigint), 12, '0') || '7'
        || substr(x.digits, 1, 3) || '8' || substr(x.digits, 4, 15))::uuid,
    v.recorded, jsonb_build_object('demo', %(seed)s::bigint), c.organisation_id, c.people[c.member],
    c.teams[c.member],
    CASE WHEN purpose <> 'embedding' THEN c.agents[c.who] END,
    CASE WHEN purpose <> 'embedding' THEN coalesce(c.agent_names[c.who], '') ELSE '' END,
    CASE WHEN purpose <> 'embedding' AND c.member IS NOT NULL
        THEN md5(c.organisation_id::text || c.day || c.member || '-' || c.minute %% 3)::uuid END,
    purpose, provider, t.model, requested, CASE WHEN fate < %(failed)s THEN '' ELSE returned END,
    tier, c.at, v.recorded, date_trunc('month', c.day::timestamp)::date, c.input, c.cached_input,
    c.cache_write, c.output, c.reasoning,
    fate < %(stopped)s AND fate %% 2 = 0 OR fate BETWEEN %(nobody)s AND %(uncounted)s - 1
        OR t.pricing = 'flat',
    fate < %(stopped)s, t.pricing, t.price_input, t.price_cached_input, t.price_cache_write,
    t.price_output, t.price,
    -- Times a millionth and not divided by a million: exact.
    0.000001 * ((c.input - c.cached_input - c.cache_write) * coalesce(t.price_input, 0)
        + c.cached_input * coalesce(t.price_cached_input, 0)
        + c.cache_write * coalesce(t.price_cache_write, 0)
        + c.output * coalesce(t.price_output, 0)),
    'USD'
FROM counted AS c
JOIN tariffs AS t ON t.call = c.call AND t.cached = (c.cached_input > 0)
    AND t.written = (c.cache_write > 0) AND t.said = (c.output > 0)
    AND t.failed = (fate < %(failed)s)
    AND c.at >= t.since AND c.at < t.until AND c.input > t."over" AND c.input <= t.upto
CROSS JOIN LATERAL (
    SELECT md5(%(seed)s || ':' || c.organisation_id || ':' || c.n) AS digits) AS x
CROSS JOIN LATERAL (SELECT CASE WHEN %(recorded)s::timestamptz IS NOT NULL
    THEN %(recorded)s::timestamptz WHEN luck < %(late_of)s AND %(late)s::boolean
    THEN (date_trunc('month', c.day::timestamp) + interval '1 month 3 days'
        + luck * interval '17 minutes') AT TIME ZONE 'UTC'
    ELSE c.at + (kept %% 40) * interval '1 second' END AS recorded) AS v
ORDER BY c.n
ON CONFLICT (id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """All that the statement needs but the days."""

    houses: Sequence[House]
    calls: Sequence[Call]
    tariffs: Sequence[Tariff]
    seed: int

    def parameters(self) -> dict[str, Any]:
        priced = {one.case.call for one in self.tariffs}
        slots = [
            place
            for place, call in enumerate(self.calls)
            if place in priced
            for _ in range(call.share)
        ]
        return {
            "seed": self.seed,
            "places": len(self.houses),
            "houses": json.dumps(
                [{"place": place, **asdict(house)} for place, house in enumerate(self.houses)],
                default=str,
            ),
            "slots": len(slots),
            "calls": json.dumps(
                [_call(self.calls[place], place, slot) for slot, place in enumerate(slots)]
            ),
            "tariffs": json.dumps([one.to_json() for one in self.tariffs]),
            "failed": FAILED,
            "stopped": FAILED + STOPPED,
            "nobody": FAILED + STOPPED + OF_NOBODY,
            "uncounted": FAILED + STOPPED + OF_NOBODY + UNCOUNTED,
            "late_of": LATE,
        }


def write_rows(
    cast: Cast, days: Sequence[Day], *, late: bool | None = None, recorded: datetime | None = None
) -> int:
    """The calls of these days: ``late`` those that are recorded after their month was billed, or
    (False) the others, or (None) all, none of them late. ``recorded``: when all of them were, where
    it is not soon after. Returns how many were not there yet."""
    given = json.dumps([asdict(one) for one in days if one.calls], default=str)
    with connection.cursor() as cursor:
        values = {**cast.parameters(), "days": given, "late": late, "recorded": recorded}
        cursor.execute(WRITE, values)
        return int(cursor.rowcount)


def _call(call: Call, place: int, slot: int) -> dict[str, Any]:
    return {
        "slot": slot,
        "call": place,
        "provider": call.provider,
        "requested": call.requested,
        "returned": call.returned,
        "purpose": call.purpose,
        "tier": call.tier,
        "input_from": call.input[0],
        "input_more": call.input[1] - call.input[0],
        "output_from": call.output[0],
        "output_more": call.output[1] - call.output[0],
        "cached": call.cached,
        "written": call.written,
        "reasoned": call.reasoned,
        "long": call.long,
    }
