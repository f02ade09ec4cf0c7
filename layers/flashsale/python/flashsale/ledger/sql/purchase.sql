-- Sells a batch of codes. No row comes back if all were sold, else one for each code.
select code_id::text, verdict, starts_at, item, winner::text, winner_buyer
from purchase(:codes, :purchase_ids, :sales, :items, :buyers)
