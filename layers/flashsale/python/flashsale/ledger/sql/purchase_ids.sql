-- Every sold code of a sale with the id that its buyer was told.
select code_id::text, purchase_id from purchases
where sale = to_timestamp(cast(:starts_at as bigint)) and state = 'sold'
