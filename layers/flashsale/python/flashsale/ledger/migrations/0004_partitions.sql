-- Partitions of attempts are made and dropped by whoever owns the table, also for a user who serves
-- buyers and owns nothing. That user is granted `keep_attempts`; nobody else may drop days.
alter function keep_attempts(timestamptz, integer) security definer;
revoke execute on function keep_attempts(timestamptz, integer) from public;

-- What runs with its owner's rights takes tables from where they are, never from its caller's path.
do $$
begin
    execute format(
        'alter function keep_attempts(timestamptz, integer) set search_path = %I, pg_temp',
        current_schema()
    );
end
$$;
