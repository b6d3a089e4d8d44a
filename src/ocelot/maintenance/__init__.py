"""Maintenance: collections checked, exported, backed up, and freed from near duplicates."""

from ocelot.maintenance.backup import Backup, Restored, backup, restore
from ocelot.maintenance.duplicates import duplicate_groups, duplicates
from ocelot.maintenance.export import ImportReport, export_rows, identity_of, import_rows
from ocelot.maintenance.mend import Mended, mend
from ocelot.maintenance.verify import Finding, Verification, verify

__all__ = [
    "Backup",
    "Finding",
    "ImportReport",
    "Mended",
    "Restored",
    "Verification",
    "backup",
    "duplicate_groups",
    "duplicates",
    "export_rows",
    "identity_of",
    "import_rows",
    "mend",
    "restore",
    "verify",
]
