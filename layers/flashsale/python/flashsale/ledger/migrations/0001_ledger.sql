-- The ledger: what was offered, what was asked for, what was sold.

create table sales (
    starts_at timestamptz primary key,
    id text not null unique,
    ends_at timestamptz not null check (ends_at > starts_at),
    total integer not null check (total between 1 and 10000),
    created_at timestamptz not null default clock_timestamp()
);

create table items (
    sale timestamptz not null references sales (starts_at),
    item integer not null check (item between 1 and 10000),
    name text not null,
    primary key (sale, item),
    unique (sale, name)
);

-- One row per code that was ever decided. The primary key makes a code sell once however often it
-- is sent; a void row, written first, makes a late insert of the same code lose. Codes begin with
-- their sale's hour, so that all rows of a sale go to the same few pages of the index.
--
-- purchase_id follows from the code and decides nothing. Were it unique, two that happen to be alike
-- would refuse a good code as long as it lives; the audit looks for them instead.
create table purchases (
    code_id uuid primary key,
    state text not null,
    sale timestamptz not null,
    item integer not null,
    buyer text not null,
    slot integer,
    purchase_id text,
    created_at timestamptz not null default clock_timestamp(),
    constraint purchases_state check (
        case state
            when 'sold' then slot is not null and slot between 1 and 10 and purchase_id is not null
            when 'void' then slot is null and purchase_id is null
            else false
        end
    )
);

-- These two indexes keep the promises; everything before them is only fast.
create unique index purchases_item_once on purchases (sale, item) where state = 'sold';
create unique index purchases_ten_a_buyer on purchases (sale, buyer, slot) where state = 'sold';
-- For the audit, which would read all sales' rows to find the few void ones of one.
create index purchases_void on purchases (sale) where state = 'void';

-- Partitions are made by keep_attempts, a day each, so that old days are dropped and not deleted.
create table attempts (
    at timestamptz not null,
    code_id uuid not null,
    sale timestamptz not null,
    buyer text not null,
    item integer not null,
    outcome text not null,
    -- An attempt whose answer got lost is judged once more, perhaps differently: both are kept.
    primary key (at, code_id, outcome)
) partition by range (at);
