-- What stands in the ledger about codes, without deciding them.
select code_id::text, verdict, starts_at, item, winner::text, winner_buyer
from verdicts(
    string_to_array(:codes, ',')::uuid[], starts_of(:sales),
    string_to_array(:items, ',')::integer[], string_to_array(:buyers, ',')
)
