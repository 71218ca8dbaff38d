"""Local days, the instants they begin at, and the 28-day blocks that truths are planted in."""

import datetime as dt
import zoneinfo
from functools import cache, cached_property
from typing import SupportsFloat

import numpy as np
import numpy.typing as npt

ZONE = zoneinfo.ZoneInfo("Europe/Helsinki")
# Activity in one block decides on purchases and churn in the next; the last block ends with the
# last day, so that a window of 28 days before the as-of day is one of them.
BLOCK_DAYS = 28


class Calendar:
    """The local days of the demo, numbered from 0."""

    def __init__(self, last_day: dt.date, days: int) -> None:
        """Numbers the days that end with `last_day`."""
        self.days = days
        self.last_day = last_day
        self.first_day = last_day - dt.timedelta(days=days - 1)

    def date(self, day: int) -> dt.date:
        """The date of a day; negative days lie before the first."""
        return self.first_day + dt.timedelta(days=int(day))

    def begins_block(self, day: int) -> bool:
        """Whether a block begins on that day."""
        return (self.days - day) % BLOCK_DAYS == 0

    def seconds(self, day: int) -> int:
        """Length of a local day: the clocks change twice a year."""
        return int((self.midnight(day + 1) - self.midnight(day)).total_seconds())

    def elapsed(self, day: int, clock: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Seconds since a day's midnight at which the clocks show these seconds of the day.

        Finland's clocks change at night: in spring none shows 3 to 4, in autumn 3 to 4 comes
        twice. Nothing happens in the hour that is missing, nor in the second of the two.
        """
        return np.where(clock >= 4 * 3600, clock - (86_400 - self.seconds(day)), clock)

    @cache  # noqa: B019 - lives as long as the calendar, and that as long as the demo is made
    def midnight(self, day: int) -> dt.datetime:
        """The instant (UTC, no zone) at which a day begins."""
        local = dt.datetime.combine(self.date(day), dt.time(), ZONE)
        return local.astimezone(dt.UTC).replace(tzinfo=None)

    @cached_property
    def midnights_ms(self) -> npt.NDArray[np.int64]:
        """The beginnings of the days, in milliseconds since 1970, with a few days more."""
        epoch = dt.datetime(1970, 1, 1)
        return np.array(
            [
                round((self.midnight(day) - epoch).total_seconds() * 1000)
                for day in range(self.days + 10)
            ],
            dtype=np.int64,
        )

    def instant(self, day: int, second: SupportsFloat) -> dt.datetime:
        """The instant (UTC, no zone) so many seconds into a day."""
        return self.midnight(day) + dt.timedelta(seconds=round(float(second)))
