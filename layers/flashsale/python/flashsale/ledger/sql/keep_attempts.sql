-- Makes room for the attempts to come and drops the old ones.
select keep_attempts(to_timestamp(cast(:around as bigint)), cast(:kept_days as integer))::text
