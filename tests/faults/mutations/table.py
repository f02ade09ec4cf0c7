"""docs/MUTATIONS.md: which check catches which bug."""

from collections.abc import Mapping

from tests.faults.mutations.mutation import Mutation

_HEAD = """# Planted bugs, and what catches them

Each of these bugs was planted in a copy of the layer, and `tests/faults/test_mutations.py` sees
that the check beside it fails. The test also holds this table against the list: after a change,
`MUTATIONS_TABLE=write make test ARGS="-k table_is_up_to_date"` writes it anew.

A check named `matrix` is a case of the crash matrix, `tests/faults/test_matrix.py`: an operation,
what becomes of its process, what happens to the stores, and who comes next.

| bug | in | caught by |
|---|---|---|
"""


def table(mutations: Mapping[str, Mutation]) -> str:
    rows = (_row(mutation) for mutation in mutations.values())
    return _HEAD + "".join(rows)


def _row(mutation: Mutation) -> str:
    files = ", ".join(f"`{file}`" for file in dict.fromkeys(e.file for e in mutation.edits))
    path, _, test = mutation.check.partition("::")
    if "test_matrix" in path:
        shown = f"matrix `{test.partition('[')[2].rstrip(']')}`"
    else:
        shown = f"`{path.rpartition('/')[2]}` `{test}`"
    return f"| {mutation.bug} | {files} | {shown} |\n"
