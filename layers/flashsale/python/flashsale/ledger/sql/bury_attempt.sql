-- Puts aside an attempt that can't be stored. Sent twice, kept once.
insert into dead_attempts (sale, entry_id, fields, reason)
values (to_timestamp(cast(:starts_at as bigint)), :entry_id, :fields, :reason)
on conflict do nothing
