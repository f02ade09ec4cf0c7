-- Parameters are texts of comma-separated values: a driver sends few of them faster than many.

-- Unix seconds, as sales are named outside the database, to its times.
create function starts_of(sales text) returns timestamptz[]
language sql immutable
as $$
    select array_agg(to_timestamp(s.starts_at::bigint) order by s.place)
    from unnest(string_to_array(sales, ',')) with ordinality as s (starts_at, place)
$$;

-- What the ledger knows about each of these codes: sold or void (the code's own row), item_taken
-- (with the winner's code and buyer), limit (ten slots are used), or open (nothing speaks against).
-- The item's look-up is a range with an order, since without statistics, as in a database's first
-- minutes, the planner takes another index for as good, and reads all that the sale has sold.
create function verdicts(codes uuid[], sales timestamptz[], items integer[], buyers text[])
returns table (
    code_id uuid, verdict text, starts_at bigint, item integer, winner uuid, winner_buyer text
)
language sql stable
set enable_seqscan = off
as $$
    select
        asked.code_id,
        case
            when own.state is not null then own.state
            when taken.code_id is not null then 'item_taken'
            when used.slots >= 10 then 'limit'
            else 'open'
        end,
        extract(epoch from asked.sale)::bigint,
        asked.item,
        taken.code_id,
        taken.buyer
    from unnest(codes, sales, items, buyers) as asked (code_id, sale, item, buyer)
    left join purchases own on own.code_id = asked.code_id
    left join lateral (
        select p.code_id, p.buyer from purchases p
        where p.sale = asked.sale and p.state = 'sold'
            and p.item between asked.item and asked.item
        order by p.item
        limit 1
    ) taken on true
    cross join lateral (
        select count(*) as slots from purchases p
        where p.sale = asked.sale and p.buyer = asked.buyer and p.state = 'sold'
    ) used
$$;

-- The rows that would sell these codes, each in the lowest slot that its buyer has free, or in none.
-- Inserted in their order, two batches wait for each other's slots in one order.
create function in_slots(
    codes uuid[], purchase_ids text[], sales timestamptz[], items integer[], buyers text[]
)
returns table (
    code_id uuid, state text, sale timestamptz, item integer, buyer text, slot integer,
    purchase_id text
)
language sql stable
as $$
    select
        asked.code_id, 'sold', asked.sale, asked.item, asked.buyer,
        (array(
            select s.slot from generate_series(1, 10) as s (slot)
            where used.slots & (1 << s.slot) = 0
        ))[asked.turn],
        asked.purchase_id
    from (
        select a.*, row_number() over (partition by a.sale, a.buyer order by a.item) as turn
        from unnest(codes, purchase_ids, sales, items, buyers)
            as a (code_id, purchase_id, sale, item, buyer)
    ) asked
    cross join lateral (
        select coalesce(bit_or(1 << p.slot), 0) as slots from purchases p
        where p.sale = asked.sale and p.buyer = asked.buyer and p.state = 'sold'
    ) used
    order by asked.sale, asked.buyer, asked.item
$$;

-- Sells what can be sold, all in one commit. Returns nothing if that was all of them, or else what
-- became of each: sold, void, item_taken, limit, or raced. A code that was sold before is sold.
--
-- The unique indexes decide. Nearly always nothing is in the way, and an insert that fails at the
-- first conflict costs less than one that asks all indexes beforehand. So that comes first, and
-- sells the whole batch or nothing of it. Then row by row: when a concurrent commit took a slot
-- first, the row is tried again with a fresh look, at most 12 times. The planner must not learn
-- from an empty table that reading all of it is cheap: hence no sequential scans.
create function purchase(codes text, purchase_ids text, sales text, items text, buyers text)
returns table (
    code_id uuid, verdict text, starts_at bigint, item integer, winner uuid, winner_buyer text
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    left_codes uuid[] := string_to_array(codes, ',');
    left_ids text[] := string_to_array(purchase_ids, ',');
    left_sales timestamptz[] := starts_of(sales);
    left_items integer[] := string_to_array(items, ',');
    left_buyers text[] := string_to_array(buyers, ',');
    again uuid[];
begin
    begin
        insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)
        select * from in_slots(left_codes, left_ids, left_sales, left_items, left_buyers);
        return;
    exception when unique_violation or check_violation then
        null; -- a row that has no slot breaks the check
    end;

    for round in 1..12 loop
        insert into purchases (code_id, state, sale, item, buyer, slot, purchase_id)
        select placed.*
        from in_slots(left_codes, left_ids, left_sales, left_items, left_buyers) placed
        where placed.slot is not null
        on conflict do nothing;

        -- One look tells who is refused and who tries again: between two, somebody may commit, and
        -- a code that is open in the first and refused in the second would be in neither list.
        again := '{}';
        for code_id, verdict, starts_at, item, winner, winner_buyer in
            select v.code_id, v.verdict, v.starts_at, v.item, v.winner, v.winner_buyer
            from verdicts(left_codes, left_sales, left_items, left_buyers) v
        loop
            if verdict = 'open' then
                again := again || code_id;
            else
                return next;
            end if;
        end loop;
        if again = '{}' then
            return;
        end if;

        select
            array_agg(a.code_id), array_agg(a.purchase_id), array_agg(a.sale),
            array_agg(a.item), array_agg(a.buyer)
        into left_codes, left_ids, left_sales, left_items, left_buyers
        from unnest(left_codes, left_ids, left_sales, left_items, left_buyers)
            as a (code_id, purchase_id, sale, item, buyer)
        where a.code_id = any (again);
    end loop;

    return query
        select v.code_id, 'raced', v.starts_at, v.item, v.winner, v.winner_buyer
        from verdicts(left_codes, left_sales, left_items, left_buyers) v;
end
$$;

-- Makes sure that codes never sell, unless they have: a void row takes the place of the insert that
-- may still be under way, and waits for one that is. Returns the codes that had been sold.
create function fence(codes text, sales text, items text, buyers text)
returns table (code_id uuid)
language plpgsql
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    insert into purchases (code_id, state, sale, item, buyer)
    select a.code_id, 'void', a.sale, a.item, a.buyer
    from unnest(
        string_to_array(codes, ',')::uuid[], starts_of(sales),
        string_to_array(items, ',')::integer[], string_to_array(buyers, ',')
    ) as a (code_id, sale, item, buyer)
    order by a.code_id
    on conflict do nothing;

    return query
        select p.code_id from purchases p
        where p.code_id = any (string_to_array(codes, ',')::uuid[]) and p.state = 'sold';
end
$$;

-- Makes the days' partitions that attempts of the near future fall into, and drops days that are
-- older than `kept_days`.
create function keep_attempts(around timestamptz, kept_days integer)
returns void
language plpgsql
as $$
declare
    day date;
    old text;
begin
    -- `if not exists` looks before it makes: two at once would collide.
    perform pg_advisory_xact_lock(hashtext('flashsale keep_attempts'));
    for ahead in -1..2 loop
        day := (around at time zone 'utc')::date + ahead;
        execute format(
            'create table if not exists %I partition of attempts for values from (%L) to (%L)',
            'attempts_' || to_char(day, 'YYYYMMDD'),
            day::timestamp at time zone 'utc',
            (day + 1)::timestamp at time zone 'utc'
        );
    end loop;
    for old in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'attempts'::regclass
            and c.relname < 'attempts_' || to_char((around at time zone 'utc')::date - kept_days, 'YYYYMMDD')
    loop
        execute format('drop table %I', old);
    end loop;
end
$$;
