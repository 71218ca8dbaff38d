"""What there is to read: articles, some that make subscribers and some that only draw clicks."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder

SECTIONS = ("kotiseutu", "politiikka", "urheilu", "kulttuuri", "talous", "mielipide", "elämä")
SUBJECTS = (
    "Kunnanvaltuusto", "Järven jää", "Koulukuljetus", "Jääkiekko", "Kesäteatteri", "Sahayhtiö",
    "Kirkonkylän silta", "Marjasato", "Sähkön hinta", "Kirjasto", "Susihavainto", "Lukio",
)  # fmt: skip
HAPPENINGS = (
    "jakaa mielipiteitä", "yllätti lukijat", "sai jatkoa", "kallistuu taas", "siirtyy syksyyn",
    "keräsi väkijoukon", "jää historiaan", "odottaa päätöstä", "puhuttaa kylillä",
)  # fmt: skip
ARTICLES_A_DAY = 12
CONVERTING_SHARE, CLICKS_SHARE = 0.05, 0.04
CORRECTED_EVERY = 40
# Readers want what is new: of an article's readers this share remains each day.
FRESHNESS = 0.45


@dataclass
class Articles:
    """All articles, by number, in order of publication."""

    ids: list[str]
    titles: list[str]
    published_day: npt.NDArray[np.int64]
    published_second: npt.NDArray[np.int64]
    section: npt.NDArray[np.int64]
    is_premium: npt.NDArray[np.bool_]
    is_sensitive: npt.NDArray[np.bool_]
    cost: npt.NDArray[np.float64]
    draw: npt.NDArray[np.float64]
    converts: npt.NDArray[np.bool_]
    only_clicks: npt.NDArray[np.bool_]
    news_day: int
    news_article: int
    calendar: Calendar

    def ids_where(self, mask: npt.NDArray[np.bool_]) -> list[str]:
        """Ids of the articles that the mask marks."""
        return [self.ids[number] for number in np.flatnonzero(mask)]

    def weights(self, day: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Numbers of the articles read on a day, and their shares of the reading."""
        age = day - self.published_day
        numbers = np.flatnonzero((age >= 0) & (age < 10))
        weight = self.draw[numbers] * FRESHNESS ** age[numbers]
        if day in (self.news_day, self.news_day + 1):
            weight[numbers == self.news_article] = weight.sum() * 1.5
        return numbers, weight / weight.sum()


def make(chance: np.random.Generator, calendar: Calendar) -> Articles:
    """All articles of the half year and of the days before that are still read."""
    days = np.repeat(np.arange(-5, calendar.days), ARTICLES_A_DAY)
    count = len(days)
    roll = chance.random(count)
    converts = roll < CONVERTING_SHARE
    only_clicks = (roll >= CONVERTING_SHARE) & (roll < CONVERTING_SHARE + CLICKS_SHARE)
    draw = chance.lognormal(0, 0.9, count)
    draw[only_clicks] *= 6
    news_day = round(calendar.days * 0.6)
    subject = chance.integers(0, len(SUBJECTS), count)
    happening = chance.integers(0, len(HAPPENINGS), count)
    return Articles(
        ids=[f"js-{number:06}" for number in range(count)],
        titles=[f"{SUBJECTS[s]} {HAPPENINGS[h]}" for s, h in zip(subject, happening, strict=True)],
        published_day=days,
        published_second=chance.integers(16_000, 75_000, count),
        section=chance.integers(0, len(SECTIONS), count),
        is_premium=chance.random(count)
        < np.where(converts, 0.9, np.where(only_clicks, 0.05, 0.35)),
        is_sensitive=chance.random(count) < 0.03,
        cost=np.round(chance.gamma(3, 60, count) * np.where(only_clicks, 0.3, 1.0), 2),
        draw=draw,
        converts=converts,
        only_clicks=only_clicks,
        news_day=news_day,
        news_article=int(np.flatnonzero(days == news_day)[0]),
        calendar=calendar,
    )


def write(out: Folder, articles: Articles) -> None:
    """The editorial system's export: gzipped JSON lines, a line more where a headline changed."""

    def article(number: int) -> dict[str, object]:
        section = SECTIONS[articles.section[number]]
        published = articles.calendar.instant(
            int(articles.published_day[number]), int(articles.published_second[number])
        )
        return {
            "id": articles.ids[number],
            "headline": articles.titles[number],
            "section": section,
            "desk": f"{section}-toimitus",
            "published": f"{published.isoformat()}Z",
            "premium": bool(articles.is_premium[number]),
            "sensitive": bool(articles.is_sensitive[number]),
            "cost": float(articles.cost[number]),
            "changed": f"{published.isoformat()}Z",
        }

    def corrected(number: int) -> dict[str, object]:
        before = article(number)
        later = articles.calendar.instant(
            int(articles.published_day[number]), int(articles.published_second[number]) + 5_400
        )
        return before | {
            "headline": f"Korjattu: {before['headline']}",
            "changed": f"{later.isoformat()}Z",
        }

    count = len(articles.ids)
    out.json_lines(
        "content.jsonl.gz",
        chain(
            out.first(
                "content",
                map(article, range(count)),
                wrong=({"id": None}, {"premium": "ehkä"}, {"cost": -1}),
            ),
            out.again("content", map(corrected, range(0, count, CORRECTED_EVERY))),
        ),
    )
