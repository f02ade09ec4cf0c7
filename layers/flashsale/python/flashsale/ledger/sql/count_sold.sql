-- Items sold in a sale, and whether the sale exists at all.
select
    (select count(*)::integer from purchases
        where sale = to_timestamp(cast(:starts_at as bigint)) and state = 'sold'),
    exists (select from sales where starts_at = to_timestamp(cast(:starts_at as bigint)))
