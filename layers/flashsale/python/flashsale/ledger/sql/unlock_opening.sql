-- Lets the next process look at the sale that we have opened.
select pg_advisory_unlock(hashtext('flashsale open sale'), cast(:starts_at as integer))
