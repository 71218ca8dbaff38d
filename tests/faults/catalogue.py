"""The catalogue: every fault, chapter by chapter."""

from tests.faults import batches, configuration, files, homes, marts, repeats, rows
from tests.faults.fault import Fault

CHAPTERS = (
    rows.CHAPTER,
    files.CHAPTER,
    repeats.CHAPTER,
    batches.CHAPTER,
    configuration.CHAPTER,
    marts.MARTS,
    marts.GATE,
    homes.CHAPTER,
)
CATALOGUE: tuple[Fault, ...] = tuple(fault for chapter in CHAPTERS for fault in chapter.faults)
