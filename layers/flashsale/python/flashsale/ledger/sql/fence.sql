-- Voids codes that will never sell; those that had sold come back.
select code_id::text from fence(:codes, :sales, :items, :buyers)
