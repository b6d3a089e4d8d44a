"""Write the record anew, where answers are meant to change: `python -m tests.record`."""

import tempfile
from pathlib import Path

from tests.record.answers import RECORDS, prepared
from tests.record.store import FOLDER, save

with tempfile.TemporaryDirectory() as place, prepared(Path(place).resolve()) as asked:
    save({name: answer(asked) for name, answer in RECORDS.items()}, FOLDER)
