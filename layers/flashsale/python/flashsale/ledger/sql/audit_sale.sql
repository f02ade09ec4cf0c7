-- What the ledger alone can tell of a sale's promises: the promise, the check, how often it is
-- broken, one example. The indexes make most of it impossible; the audit trusts them no more than
-- anything else, and looks whether they are there.
-- Each part of it names the sale, so that an index finds it among all the others.
with sold as (
    select * from purchases
    where sale = to_timestamp(cast(:starts_at as bigint)) and state = 'sold'
), this as (
    select code_id from sold
    union all
    select code_id from purchases
    where sale = to_timestamp(cast(:starts_at as bigint)) and state = 'void'
)
select 1, 'items sold more than once', count(*)::integer, coalesce(min('item ' || item), '')
from (select item from sold group by item having count(*) > 1) twice
union all
select 2, 'buyers with more than ten items', count(*)::integer, coalesce(min('buyer ' || buyer), '')
from (select buyer from sold group by buyer having count(*) > 10) greedy
union all
select 4, 'codes both sold and void', count(*)::integer, coalesce(min(code_id::text), '')
from (select code_id from this group by code_id having count(*) > 1) torn
union all
select 5, 'purchase ids of more than one code', count(*)::integer, coalesce(min(purchase_id), '')
from (select purchase_id from sold group by purchase_id having count(*) > 1) shared
union all
select 5, 'purchase ids that are none of ours', count(*)::integer, coalesce(min(purchase_id), '')
from sold where purchase_id !~ '^purchase_[0-9a-f]{16}$'
union all
select 0, 'items sold that were never on sale', count(*)::integer, coalesce(min('item ' || item), '')
from sold where not exists (
    select from items where items.sale = to_timestamp(cast(:starts_at as bigint)) and items.item = sold.item
)
union all
select 0, 'sold outside the hour', count(*)::integer, coalesce(min('item ' || item), '')
from sold join sales on sales.starts_at = sold.sale
where sold.created_at < sales.starts_at - interval '1 minute'
    or sold.created_at > sales.ends_at + interval '1 minute'
union all
select 0, 'items missing from the sale', greatest(
    coalesce((select total from sales where starts_at = to_timestamp(cast(:starts_at as bigint))), 0)
    - (select count(*)::integer from items where sale = to_timestamp(cast(:starts_at as bigint))), 0
), ''
union all
select 0, 'unique indexes missing', 3 - count(*)::integer, ''
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indisunique and i.indisvalid and c.relname in (
    'purchases_pkey', 'purchases_item_once', 'purchases_ten_a_buyer'
)
union all
select 0, 'attempts put aside', count(*)::integer, coalesce(min(entry_id), '')
from dead_attempts where sale = to_timestamp(cast(:starts_at as bigint))
