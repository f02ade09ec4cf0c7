-- Keeps a batch of checkout attempts, or none where one of them is kept already: for those there is
-- record_attempts_again. To ask the index beforehand, as that does, costs a tenth more.
insert into attempts (at, code_id, sale, buyer, item, outcome)
select
    to_timestamp(a.at_ms::double precision / 1000), a.code_id::uuid,
    to_timestamp(a.sale::bigint), a.buyer, a.item::integer, a.outcome
from unnest(
    string_to_array(:at_ms, ','), string_to_array(:codes, ','), string_to_array(:sales, ','),
    string_to_array(:buyers, ','), string_to_array(:items, ','), string_to_array(:outcomes, ',')
) as a (at_ms, code_id, sale, buyer, item, outcome)
