-- Attempts that could not be stored as such: put aside, so that they stop nobody, and looked at.
create table dead_attempts (
    sale timestamptz not null,
    entry_id text not null,
    fields text not null,
    reason text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (sale, entry_id)
);
