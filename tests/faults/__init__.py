"""What happens when things go wrong, done for real: `python -m tests.faults` (`make test-faults`).

Each fault is a function that does it, looks at what a user sees, and counts what was lost. The
suite writes the table of docs/reliability.md. `--short` does each fault a few times only.
"""
