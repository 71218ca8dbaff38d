"""What readers say: surveys, feedback, referrals, mentions; and what they allow: consents."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestration.demo.business import Business
from orchestration.demo.calendar import Calendar
from orchestration.demo.files import Folder
from orchestration.demo.people import Crowd

if TYPE_CHECKING:
    from orchestration.demo.visits import Reading

TOUCHPOINTS = ("reading", "delivery", "customer_service", "ordering", "app")
REASONS = ("sisältö", "hinta", "jakelu", "käytettävyys", "mainokset")
THEMES = ("price", "delivery", "local_news", "app", "advertising", "tone")
PLATFORMS = ("forum", "social", "blog", "radio")
PURPOSES = ("analytics", "marketing", "personalisation")


def write(
    out: Folder,
    chance: np.random.Generator,
    calendar: Calendar,
    crowd: Crowd,
    trade: Business,
    reading: "Reading",
) -> None:
    """The survey tool's, the service desk's and the consent platform's exports."""
    _surveys(out, chance, calendar, crowd, trade)
    _feedback(out, chance, calendar, crowd)
    _referrals(out, chance, calendar, crowd, trade)
    _mentions(out, chance, calendar, crowd)
    _consents(out, chance, calendar, crowd)
    _erasures(out, calendar, crowd)


def _surveys(
    out: Folder, chance: np.random.Generator, calendar: Calendar, crowd: Crowd, trade: Business
) -> None:
    """Semicolons and Windows' letters, as the survey tool exports them."""
    rows: list[dict[str, Any]] = []

    def answer(day: int, account: int, question: str, score: object, expected: object) -> None:
        rows.append(
            {
                "id": f"R{len(rows):06}",
                "answered": calendar.instant(day, chance.integers(25_000, 80_000)),
                "customer": crowd.account_ids[account],
                "touchpoint": TOUCHPOINTS[int(chance.integers(0, len(TOUCHPOINTS)))],
                "question": question,
                "score": score,
                "expected": expected,
                "reason": REASONS[int(chance.integers(0, len(REASONS)))],
            }
        )

    for _ in range(crowd.accounts // 8):
        day, account = _someone(chance, calendar, crowd)
        answer(day, account, "nps", int(chance.binomial(10, 0.77)), "")
    for _ in range(crowd.accounts // 12):
        day, account = _someone(chance, calendar, crowd)
        answer(
            day,
            account,
            "csat",
            int(1 + chance.binomial(4, 0.7)),
            int(1 + chance.binomial(4, 0.78)),
        )
    for _ in range(crowd.accounts // 20):
        day, account = _someone(chance, calendar, crowd)
        answer(day, account, "ces", int(1 + chance.binomial(6, 0.6)), "")
    for day, account, reason in trade.exits:
        if 0 <= day < calendar.days and chance.random() < 0.5:
            answer(day, account, "exit", "", "")
            rows[-1]["reason"] = reason
    bad = [dict(rows[0], id="", score=11), dict(rows[1], id="R-x", question="olisitko")]
    out.csv("surveys.csv", [*rows, *bad], delimiter=";", encoding="cp1252")
    out.count("surveys", rows=len(rows) + 2, bad=2, keys=len(rows))


def _someone(chance: np.random.Generator, calendar: Calendar, crowd: Crowd) -> tuple[int, int]:
    """A day, and an account registered before it."""
    account = int(chance.integers(0, crowd.accounts))
    first = max(int(crowd.registered_day[account]) + 1, 0)
    return int(chance.integers(min(first, calendar.days - 1), calendar.days)), account


def _feedback(out: Folder, chance: np.random.Generator, calendar: Calendar, crowd: Crowd) -> None:
    rows = []
    for number in range(crowd.accounts // 10):
        day, account = _someone(chance, calendar, crowd)
        rows.append(
            {
                "feedback_id": f"F{number:06}",
                "received_at": calendar.instant(day, chance.integers(25_000, 80_000)).isoformat(),
                "account_id": crowd.account_ids[account] if chance.random() < 0.8 else None,
                "channel": ("phone", "email", "app")[int(chance.integers(0, 3))],
                "theme": THEMES[int(chance.integers(0, len(THEMES)))],
                "sentiment": round(float(np.clip(chance.normal(-0.1, 0.5), -1, 1)), 2),
                "coder": "desk",
            }
        )
    out.json_lines("feedback.jsonl", rows)
    out.count("feedback", rows=len(rows), bad=0, keys=len(rows))


def _referrals(
    out: Folder, chance: np.random.Generator, calendar: Calendar, crowd: Crowd, trade: Business
) -> None:
    rows: list[Mapping[str, Any]] = []

    def happened(
        day: int,
        referrer: int,
        outcome: str,
        *,
        account: str | None = None,
        visitor: str | None = None,
    ) -> None:
        if 0 <= day < calendar.days:
            rows.append(
                {
                    "referral_id": f"V{len(rows):06}",
                    "occurred_at": calendar.instant(day, 60_000).isoformat(),
                    "referrer_account_id": crowd.account_ids[referrer],
                    "referred_account_id": account,
                    "referred_visitor_id": visitor,
                    "outcome": outcome,
                }
            )

    for day, referrer, referred in trade.referrals:
        device = crowd.visitor_ids[crowd.devices[referred, 0]]
        came = crowd.account_ids[referred]
        happened(day - 3, referrer, "click", visitor=device)
        if 0 <= crowd.registered_day[referred] <= day:
            happened(int(crowd.registered_day[referred]), referrer, "registration", account=came)
        happened(day, referrer, "subscription", account=came)
    for _ in range(crowd.accounts // 10):
        day, referrer = _someone(chance, calendar, crowd)
        clicked = int(chance.integers(0, len(crowd.visitor_ids)))
        happened(day, referrer, "click", visitor=crowd.visitor_ids[clicked])
    out.json_lines("referrals.jsonl", rows)
    out.count("referrals", rows=len(rows), bad=0, keys=len(rows))


def _mentions(out: Folder, chance: np.random.Generator, calendar: Calendar, crowd: Crowd) -> None:
    rows = []
    for number in range(max(crowd.accounts // 20, 5)):
        day, account = _someone(chance, calendar, crowd)
        rows.append(
            {
                "mention_id": f"M{number:06}",
                "occurred_at": calendar.instant(day, chance.integers(0, 80_000)).isoformat(),
                "account_id": crowd.account_ids[account] if chance.random() < 0.3 else None,
                "platform": PLATFORMS[int(chance.integers(0, len(PLATFORMS)))],
                "sentiment": round(float(np.clip(chance.normal(0.1, 0.6), -1, 1)), 2),
                "reach": int(chance.lognormal(5, 1.2)),
                "content_id": None,
            }
        )
    out.json_lines("mentions.jsonl", rows)
    out.count("mentions", rows=len(rows), bad=0, keys=len(rows))


def _consents(out: Folder, chance: np.random.Generator, calendar: Calendar, crowd: Crowd) -> None:
    """Decisions of account holders: granted or not at registration, some changed since."""
    rows: list[dict[str, object]] = []

    def decided(account: int, purpose: str, is_granted: bool, day: int) -> None:
        rows.append(
            {
                "customer": crowd.account_ids[account],
                "visitor": "",
                "purpose": purpose,
                "granted": "yes" if is_granted else "no",
                "at": calendar.instant(day, 40_000 + len(rows) % 30_000),
            }
        )

    for account in range(crowd.accounts):
        registered = int(crowd.registered_day[account])
        for purpose, share in zip(PURPOSES, (0.85, 0.5, 0.6), strict=True):
            is_granted = bool(chance.random() < share)
            decided(account, purpose, is_granted, registered)
            changed = max(registered, 0) + int(chance.integers(1, 60))
            if chance.random() < 0.04 and changed < calendar.days:
                decided(account, purpose, not is_granted, changed)
                if chance.random() < 0.3 and changed + 20 < calendar.days:
                    decided(account, purpose, is_granted, changed + 20)
    out.csv("consents.csv", rows)
    out.count("consents", rows=len(rows), bad=0, keys=len(rows))


def _erasures(out: Folder, calendar: Calendar, crowd: Crowd) -> None:
    rows: Sequence[Mapping[str, object]] = [
        {
            "customer": crowd.account_ids[account],
            "visitor": "",
            "requested": calendar.instant(calendar.days - 2 - account % 5, 50_000),
        }
        for account in (3, 11, 17)
    ]
    out.csv("erasures.csv", rows)
    out.count("erasures", rows=len(rows), bad=0, keys=len(rows))
