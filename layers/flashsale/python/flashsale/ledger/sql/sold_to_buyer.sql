-- What one buyer has bought in a sale, to teach it to a Redis that forgot.
select item, code_id::text, buyer from purchases
where sale = to_timestamp(cast(:starts_at as bigint)) and buyer = :buyer and state = 'sold'
