"""The demo publisher: half a year of an invented regional newspaper, with planted truths.

Holds the order in which the parts are made. The same seed gives the same files. Later code can be
held against `truths.json`: what was planted there is what the data was really made with.
"""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

from orchestration.demo import business, money, people, singles, stories, visits
from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder
from orchestration.demo.randomness import Randomness
from orchestration.demo.voices import Voices
from orchestration.demo.worlds import ACTIVITY, World

LAST_DAY = dt.date(2026, 6, 30)
DAYS = 180


def make_demo(
    folder: Path,
    *,
    seed: int = 1,
    scale: float = 1.0,
    days: int = DAYS,
    last_day: dt.date = LAST_DAY,
    world: World = ACTIVITY,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Writes the files of every feed, and what was planted in them.

    Args:
        folder: Where the files go; files of an earlier demo are replaced, others left alone.
        seed: Another seed makes another half year.
        scale: Times about 20,000 visitors and 5,000 accounts.
        days: Local days of events, the last of them `last_day`.
        last_day: Last local day.
        world: What makes readers buy.
        progress: Called with a line now and then.

    Returns:
        The path of truths.json: the planted truths, and for every feed how many rows were
        written, how many of them are bad, how many distinct keys the good ones have and how many
        repeat one.
    """
    say = progress or (lambda line: None)
    out = Folder(folder)
    calendar = Calendar(last_day, days)
    chance = Randomness(seed)
    crowd = people.make(chance.part("people"), calendar, scale)
    articles = stories.make(chance.part("stories"), calendar)
    trade = business.Business(chance.part("sales"), calendar, crowd, world)
    reading = visits.Reading(chance.part("visits"), calendar, crowd, articles, out, world)
    for day in range(calendar.days):
        if calendar.begins_block(day):
            trade.plan_block(day, reading.seen_in_block)
            reading.begin_block()
        reading.write_day(day, trade.actions(day))
        if (day + 1) % 30 == 0:
            say(f"{day + 1} of {calendar.days} days")
    reading.finish()
    trade.plan_block(calendar.days, reading.seen_in_block)
    people.write(out, chance.part("people files"), crowd, trade)
    stories.write(out, articles)
    bought = singles.purchases(chance.part("single purchases"), calendar, trade.first_bought)
    money.write(out, chance.part("business files"), calendar, trade, reading, bought)
    Voices(out, chance.part("voices"), calendar, crowd, articles, trade).write()
    trade.write_members(out)
    truths = {
        "publisher": "Järviseudun Sanomat (invented)",
        "seed": seed,
        **({} if world is ACTIVITY else {"world": world.name}),
        "first_day": calendar.first_day.isoformat(),
        "last_day": last_day.isoformat(),
        "planted": {
            **trade.truths(),
            **reading.truths(),
            **singles.truths(),
            "converting_content_ids": articles.ids_where(articles.converts),
            "clicks_only_content_ids": articles.ids_where(articles.only_clicks),
            "news_event": {
                "day": calendar.date(articles.news_day).isoformat(),
                "content_id": articles.ids[articles.news_article],
            },
        },
        "feeds": out.counts(),
    }
    return out.write_text("truths.json", json.dumps(truths, indent=1, ensure_ascii=False) + "\n")
