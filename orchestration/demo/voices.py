"""What readers say: surveys, feedback, referrals, mentions; and what they allow: consents."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from orchestration.demo.business import Business
from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder, Row
from orchestration.demo.people import Crowd
from orchestration.demo.stories import Articles

TOUCHPOINTS = ("reading", "delivery", "customer_service", "ordering", "app")
REASONS = ("sisältö", "hinta", "jakelu", "käytettävyys", "mainokset")
THEMES = ("price", "delivery", "local_news", "app", "advertising", "tone")
PLATFORMS = ("forum", "social", "blog", "radio")
# Purposes, and how many account holders allow each when they register.
PURPOSES = {"analytics": 0.85, "marketing": 0.5, "personalisation": 0.6}
# Of every so many accounts one is asked; the chance of each point of the scale's steps.
ASKED_EVERY = {"nps": 8, "csat": 12, "ces": 20}
ANSWERS = {"nps": (0, 10, 0.77), "csat": (1, 4, 0.70), "ces": (1, 6, 0.60)}
EXPECTED = (1, 4, 0.78)
EXIT_SHARE = 0.5
# Visitors nobody knows decide about analytics only: one of so many is still on file.
ANONYMOUS_CONSENT_EVERY = 10
ERASED_ACCOUNTS, ERASED_ANONYMOUS = (3, 11, 17), 1


@dataclass(frozen=True)
class Voices:
    """All that the exports are made from."""

    out: Folder
    chance: np.random.Generator
    calendar: Calendar
    crowd: Crowd
    articles: Articles
    trade: Business

    def write(self) -> None:
        """The survey tool's, the service desk's and the consent platform's exports."""
        self._surveys()
        self._feedback()
        self._referrals()
        self._mentions()
        self._consents()
        self._erasures()

    def _surveys(self) -> None:
        """Semicolons and Windows' letters, as the survey tool exports them."""
        wrong = ({"score": 11}, {"question": "olisitko"}, {"answered": "2026-04-31 12:00:00"})
        self.out.csv(
            "surveys.csv",
            self.out.first("surveys", self._answers(), wrong=wrong),
            delimiter=";",
            encoding="cp1252",
        )

    def _answers(self) -> Iterator[Row]:
        numbers = map("R{:06}".format, count())

        def answer(day: int, account: int, question: str, **said: object) -> dict[str, object]:
            return {
                "id": next(numbers),
                "answered": self._when(day),
                "customer": self.crowd.account_ids[account],
                "touchpoint": self._one_of(TOUCHPOINTS),
                "question": question,
                "score": "",
                "expected": "",
                "reason": self._one_of(REASONS),
                **said,
            }

        for question, every in ASKED_EVERY.items():
            for _ in range(self.crowd.accounts // every):
                day, account = self._someone()
                said = {"score": self._points(*ANSWERS[question])}
                if question == "csat":
                    said["expected"] = self._points(*EXPECTED)
                yield answer(day, account, question, **said)
        for day, account, reason in self.trade.exits:
            if 0 <= day < self.calendar.days and self.chance.random() < EXIT_SHARE:
                yield answer(day, account, "exit", reason=reason)

    def _feedback(self) -> None:
        def rows() -> Iterator[Row]:
            for number in range(self.crowd.accounts // 10):
                day, account = self._someone()
                is_known = self.chance.random() < 0.8
                yield {
                    "feedback_id": f"F{number:06}",
                    "received_at": self._when(day).isoformat(),
                    "account_id": self.crowd.account_ids[account] if is_known else None,
                    "channel": self._one_of(("phone", "email", "app")),
                    "theme": self._one_of(THEMES),
                    "sentiment": self._sentiment(-0.1, 0.5),
                    "coder": "desk",
                }

        wrong = ({"sentiment": 7}, {"theme": None})
        self.out.json_lines("feedback.jsonl", self.out.first("feedback", rows(), wrong=wrong))

    def _referrals(self) -> None:
        wrong = ({"outcome": "maybe"}, {"referrer_account_id": None})
        self.out.json_lines(
            "referrals.jsonl", self.out.first("referrals", self._recommended(), wrong=wrong)
        )

    def _recommended(self) -> Iterator[Row]:
        """What led to purchases, and clicks that led to nothing."""
        crowd, calendar = self.crowd, self.calendar
        happened: list[tuple[int, int, str, int | None, int | None]] = []
        for day, referrer, referred in self.trade.referrals:
            happened.append((day - 3, referrer, "click", None, int(crowd.devices[referred, 0])))
            if self.trade.inviter(referred) == referrer:
                registered = int(crowd.registered_day[referred])
                happened.append((registered, referrer, "registration", referred, None))
            happened.append((day, referrer, "subscription", referred, None))
        for _ in range(crowd.accounts // 10):
            day, referrer = self._someone()
            clicked = int(self.chance.integers(0, len(crowd.visitor_ids)))
            happened.append((day, referrer, "click", None, clicked))
        numbers = map("V{:06}".format, count())
        for day, referrer, outcome, account, visitor in happened:
            if 0 <= day < calendar.days:
                yield {
                    "referral_id": next(numbers),
                    "occurred_at": calendar.instant(day, 60_000).isoformat(),
                    "referrer_account_id": crowd.account_ids[referrer],
                    "referred_account_id": None if account is None else crowd.account_ids[account],
                    "referred_visitor_id": None if visitor is None else crowd.visitor_ids[visitor],
                    "outcome": outcome,
                }

    def _mentions(self) -> None:
        def rows() -> Iterator[Row]:
            for number in range(max(self.crowd.accounts // 20, 5)):
                day, account = self._someone()
                is_known, is_about_one = self.chance.random(2) < (0.3, 0.4)
                article = self._one_of(self.articles.weights(day)[0])
                yield {
                    "mention_id": f"M{number:06}",
                    "occurred_at": self.calendar.instant(
                        day, self.chance.integers(0, 80_000)
                    ).isoformat(),
                    "account_id": self.crowd.account_ids[account] if is_known else None,
                    "platform": self._one_of(PLATFORMS),
                    "sentiment": self._sentiment(0.1, 0.6),
                    "reach": int(self.chance.lognormal(5, 1.2)),
                    "content_id": self.articles.ids[article] if is_about_one else None,
                }

        wrong = ({"reach": -5}, {"occurred_at": "2026-02-30T10:00:00"})
        self.out.json_lines("mentions.jsonl", self.out.first("mentions", rows(), wrong=wrong))

    def _consents(self) -> None:
        wrong = ({"granted": "ehkä"}, {"customer": "", "visitor": ""}, {"at": "30.2.2026 10:00"})
        self.out.csv("consents.csv", self.out.first("consents", self._decisions(), wrong=wrong))

    def _decisions(self) -> Iterator[Row]:
        """Granted or not at registration or on a visit; some withdrawn, of these some granted."""
        crowd = self.crowd
        for account in range(crowd.accounts):
            registered = int(crowd.registered_day[account])
            for purpose, share in PURPOSES.items():
                is_granted = bool(self.chance.random() < share)
                for day, granted in self._changes(registered, is_granted):
                    yield self._decision(day, granted, purpose, customer=crowd.account_ids[account])
        first = int(crowd.devices[crowd.accounts, 0])
        for visitor in range(first, len(crowd.visitor_ids), ANONYMOUS_CONSENT_EVERY):
            day = int(self.chance.integers(0, self.calendar.days))
            is_granted = bool(self.chance.random() < PURPOSES["analytics"])
            for on, granted in self._changes(day, is_granted):
                yield self._decision(on, granted, "analytics", visitor=crowd.visitor_ids[visitor])

    def _changes(self, first: int, is_granted: bool) -> Iterator[tuple[int, bool]]:
        """A decision, and those that change it."""
        yield first, is_granted
        changed = max(first, 0) + int(self.chance.integers(1, 60))
        if self.chance.random() < 0.04 and changed < self.calendar.days:
            yield changed, not is_granted
            if self.chance.random() < 0.3 and changed + 20 < self.calendar.days:
                yield changed + 20, is_granted

    def _decision(
        self, day: int, granted: bool, purpose: str, *, customer: str = "", visitor: str = ""
    ) -> Row:
        return {
            "customer": customer,
            "visitor": visitor,
            "purpose": purpose,
            "granted": "yes" if granted else "no",
            "at": self._when(day),
        }

    def _erasures(self) -> None:
        """Of people who are in the data and stay there; no row is bad, for none may be lost."""
        crowd = self.crowd
        anonymous = crowd.visitor_ids[int(crowd.devices[crowd.accounts + ERASED_ANONYMOUS, 0])]
        asked = [(crowd.account_ids[account], "") for account in ERASED_ACCOUNTS]
        rows = (
            {
                "customer": customer,
                "visitor": visitor,
                "requested": self.calendar.instant(self.calendar.days - 2 - number, 50_000),
            }
            for number, (customer, visitor) in enumerate([*asked, ("", anonymous)])
        )
        self.out.csv("erasures.csv", self.out.first("erasures", rows))

    def _someone(self) -> tuple[int, int]:
        """A day, and an account registered before it."""
        account = int(self.chance.integers(0, self.crowd.accounts))
        first = max(int(self.crowd.registered_day[account]) + 1, 0)
        last = self.calendar.days
        return int(self.chance.integers(min(first, last - 1), last)), account

    def _when(self, day: int) -> dt.datetime:
        return self.calendar.instant(day, self.chance.integers(25_000, 80_000))

    def _one_of(self, things: Any) -> Any:
        return things[int(self.chance.integers(0, len(things)))]

    def _points(self, least: int, steps: int, share: float) -> int:
        return least + int(self.chance.binomial(steps, share))

    def _sentiment(self, mean: float, spread: float) -> float:
        return round(float(np.clip(self.chance.normal(mean, spread), -1, 1)), 2)
