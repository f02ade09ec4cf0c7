-- Creates a sale with its items, once, whoever comes first: everybody else changes nothing.
with opened as (
    insert into sales (starts_at, id, ends_at, total)
    values (
        to_timestamp(cast(:starts_at as bigint)), :id,
        to_timestamp(cast(:ends_at as bigint)), cast(:total as integer)
    )
    on conflict do nothing
    returning starts_at
), stocked as (
    insert into items (sale, item, name)
    select opened.starts_at, n.item, n.name
    from opened cross join unnest(string_to_array(:names, ',')) with ordinality as n (name, item)
)
select count(*)::integer from opened
