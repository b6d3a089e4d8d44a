"""`python -m tests.faults [--short] [--write] [NAME …]`: do the faults, print the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.finding import Finding, table
from tests.faults.suite import FAULTS, run, write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(FAULTS)}")
    parser.add_argument("--short", action="store_true", help="each fault a few times only")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(FAULTS):
        parser.error(f"There is no fault {', '.join(sorted(unknown))}.")
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names or FAULTS:
            found = run(name, Path(folder) / name, short=arguments.short)
            if found is None:
                print(f"{name}: cannot be done here", flush=True)
                continue
            findings.append(found)
            print(table([found]).splitlines()[-1], flush=True)
    if arguments.write:
        write(findings)
    sys.exit(any(finding.lost for finding in findings))


if __name__ == "__main__":
    main()
