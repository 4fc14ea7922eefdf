"""Names of the files that evidence adds to a run folder."""

MANIFEST = "manifest.json"
STATEMENTS = "statements.intoto.jsonl"
VERDICT = "verdict.json"
