-- Keeps a batch of checkout attempts of which some may be kept already. Sent twice, kept once.
insert into attempts (at, code_id, sale, buyer, item, outcome)
select
    to_timestamp(a.at_ms::double precision / 1000), a.code_id::uuid,
    to_timestamp(a.sale::bigint), a.buyer, a.item::integer, a.outcome
from unnest(
    string_to_array(:at_ms, ','), string_to_array(:codes, ','), string_to_array(:sales, ','),
    string_to_array(:buyers, ','), string_to_array(:items, ','), string_to_array(:outcomes, ',')
) as a (at_ms, code_id, sale, buyer, item, outcome)
on conflict do nothing
