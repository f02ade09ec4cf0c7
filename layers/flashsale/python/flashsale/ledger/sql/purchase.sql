-- Sells a batch of codes; only what was refused comes back, so that a good batch costs no reply.
select code_id::text, verdict, starts_at, item, winner::text, winner_buyer
from purchase(:codes, :purchase_ids, :sales, :items, :buyers)
