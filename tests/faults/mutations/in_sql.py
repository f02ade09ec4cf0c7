"""Bugs planted in what PostgreSQL runs."""

from tests.faults.mutations.mutation import bug, layer, matrix, slot_race

_TABLES = "ledger/migrations/0001_ledger.sql"
_FUNCTIONS = "ledger/migrations/0002_functions.sql"

IN_SQL = {
    "no_item_index": bug(
        "an item may have several sold rows",
        matrix("purchase-freezes-redis_lost-another_buyer"),
        (_TABLES, "create unique index purchases_item_once", "create index purchases_item_once"),
    ),
    "no_slot_index": bug(
        "two rows may have one slot of a buyer",
        slot_race("test_whoever_comes_second_looks_again[9-limit-at_once]"),
        (_TABLES, "create unique index purchases_ten", "create index purchases_ten"),
    ),
    "no_code_key": bug(
        "a code may have several rows, so that a void one stops nobody",
        matrix("purchase-freezes-redis_lost-same_expired"),
        (_TABLES, "code_id uuid primary key", "code_id uuid not null"),
    ),
    "select_for_a_fence": bug(
        "the fence only looks whether the code has sold",
        matrix("purchase-freezes-redis_lost-same_expired"),
        (_FUNCTIONS, "    order by a.code_id\n", "    where false\n    order by a.code_id\n"),
    ),
    "limit_of_redis_only": bug(
        "the ledger lets a buyer have thirty items",
        matrix("purchase_of_the_eleventh-dies-stores_keep-same_again"),
        (_TABLES, "slot between 1 and 10", "slot between 1 and 30"),
        (_FUNCTIONS, "generate_series(1, 10)", "generate_series(1, 30)"),
        (_FUNCTIONS, "used.slots >= 10", "used.slots >= 30"),
    ),
    "two_looks": bug(
        "two looks tell who is refused and who tries again, so that a code may be in neither list",
        slot_race("test_whoever_is_told_that_it_sold_has_a_row"),
        (
            _FUNCTIONS,
            (
                "            if verdict = 'open' then\n                again := again || code_id;\n"
                "            else\n                return next;\n            end if;\n"
                "        end loop;\n"
            ),
            (
                "            if verdict <> 'open' then\n                return next;\n"
                "            end if;\n        end loop;\n"
                "        select coalesce(array_agg(v.code_id), '{}') into again\n"
                "        from verdicts(left_codes, left_sales, left_items, left_buyers) v\n"
                "        where v.verdict = 'open';\n"
            ),
        ),
    ),
    "no_second_round": bug(
        "whoever loses a slot to a concurrent commit does not try again",
        slot_race("test_whoever_comes_second_looks_again[8-sold-row_by_row]"),
        (_FUNCTIONS, "for round in 1..12 loop", "for round in 1..1 loop"),
    ),
    "conflict_taken_for_sold": bug(
        "a batch that met a conflict is taken for sold, though nothing of it is",
        layer("test_ledger.py::test_a_taken_item_names_its_winner"),
        (_FUNCTIONS, "        null; -- a row that has no slot", "        return; -- a row"),
    ),
    "no_slot_is_an_error": bug(
        "whoever has ten items makes the whole batch fail",
        layer("test_ledger.py::test_the_eleventh_item_is_refused_and_another_sale_s_is_not"),
        (_FUNCTIONS, "when unique_violation or check_violation then", "when unique_violation then"),
    ),
    "unique_purchase_id": bug(
        "two purchase ids that happen to be alike refuse a good code",
        layer("test_ledger.py::test_two_purchase_ids_that_happen_to_be_alike_refuse_nobody"),
        (_TABLES, "    purchase_id text,\n", "    purchase_id text unique,\n"),
    ),
    "attempts_clash": bug(
        "an attempt that is stored twice is an error",
        matrix("persist_attempts-loses_reply-stores_keep-same_again"),
        ("ledger/sql/record_attempts_again.sql", "on conflict do nothing", ""),
    ),
}
