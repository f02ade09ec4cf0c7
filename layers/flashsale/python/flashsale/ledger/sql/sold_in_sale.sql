-- All that a sale has sold: what Redis must know before it may refuse anybody.
select item, code_id::text, buyer from purchases
where sale = to_timestamp(cast(:starts_at as bigint)) and state = 'sold'
