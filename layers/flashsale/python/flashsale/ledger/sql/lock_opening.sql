-- One process at a time opens a sale; the lock goes with the connection, whatever ends it.
select pg_try_advisory_lock(hashtext('flashsale open sale'), cast(:starts_at as integer))
