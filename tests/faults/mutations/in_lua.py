"""Bugs planted in what Redis runs."""

from tests.faults.mutations.mutation import bug, layer, matrix

_CLAIM = "inventory/lua/claim.lua"
_CONFIRM = "inventory/lua/confirm.lua"

IN_LUA = {
    "no_lease": bug(
        "a claim has no lease, so nobody ever gives it back",
        matrix("purchase-dies-stores_keep-another_buyer"),
        (
            _CLAIM,
            "\n  lease(item)\n  return 'claimed'\nend",
            "\n  return 'claimed'\nend",
        ),
    ),
    "lease_not_extended": bug(
        "a code that is sent again keeps its old lease",
        layer("test_claim.py::test_the_same_code_claims_again_and_counts_once"),
        (
            _CLAIM,
            "    lease(item)\n    return 'claimed'\n  end",
            "    return 'claimed'\n  end",
        ),
    ),
    "refused_on_suspicion": bug(
        "somebody's unconfirmed claim means sold out",
        matrix("purchase-dies-stores_keep-another_buyer"),
        (_CLAIM, "return lease_end < now and 'overdue' or 'check'", "return 'sold_out'"),
    ),
    "code_never_expires": bug(
        "a claim takes a code whose time is over",
        layer("test_claim.py::test_too_late_is_refused_for_the_sale_first_and_leaves_no_trace"),
        (_CLAIM, "  if now >= expires then return 'code_expired' end\n", ""),
    ),
    "sale_never_ends": bug(
        "a claim does not ask whether its sale is over",
        layer("test_claim.py::test_too_late_is_refused_for_the_sale_first_and_leaves_no_trace"),
        (_CLAIM, "  if now >= ends then return 'sale_ended' end\n", ""),
    ),
    "claims_not_counted": bug(
        "a claim does not count for its buyer",
        layer("test_claim.py::test_ten_held_items_are_no_reason_to_refuse_but_to_check"),
        (_CLAIM, "  counts[buyer] = (held + 1) .. ' ' .. sold\n", ""),
    ),
    "releases_anybody": bug(
        "a release gives back whatever claim holds the item",
        layer("test_settling.py::test_a_release_repeated_late_or_for_what_is_sold_changes_nothing"),
        (
            "inventory/lua/release.lua",
            "string.sub(holder, 1, 37) == 'held ' .. nonce",
            "string.sub(holder, 1, 4) == 'held'",
        ),
    ),
    "confirm_mends_nothing": bug(
        "a sale over somebody's claim leaves that buyer's count as it was",
        layer(
            "test_settling.py"
            "::test_a_sale_over_a_foreign_claim_takes_the_item_and_mends_both_counts"
        ),
        (
            _CONFIRM,
            "    if holder then\n",
            "    if holder and string.sub(holder, 6, 37) == nonce then\n",
        ),
    ),
    "stream_trimmed": bug(
        "the stream of attempts is trimmed by its length",
        matrix("persist_attempts-dies-stores_keep-same_again"),
        (
            "inventory/lua/append.lua",
            "redis.call('XADD', attempts, '*',",
            "redis.call('XADD', attempts, 'MAXLEN', '=', 1, '*',",
        ),
    ),
}
