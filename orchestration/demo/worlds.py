"""What makes readers buy: the worlds a demo can be made in.

Two of them look alike to whoever only asks how much more often active readers buy. In one, reading
leads to buying; in the other both come from an intent to buy, which the reader shows beforehand.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """What drives first purchases, of which `business.PURCHASE` is the usual chance in a block.

    Attributes:
        name: What `arvo demo --world` calls it.
        activity_ratio: By how much having been active multiplies the chance of a first purchase.
        abandoned_share: Of paywalls met, how many lead to a checkout that is given up.
        intent_share: Of accounts, those that mean to buy in a block. Two blocks before it they go
            to the checkout and turn back.
        intent_ratio: By how much meaning to buy multiplies the chance of a first purchase.
        reading_ratios: In the block before, by what it multiplies the chance to read on a day, of
            accounts without intent and of those with it; of those that have never bought.
    """

    name: str
    activity_ratio: float
    abandoned_share: float
    intent_share: float = 0.0
    intent_ratio: float = 1.0
    reading_ratios: tuple[float, float] = (1.0, 1.0)


ACTIVITY = World("activity", activity_ratio=6.0, abandoned_share=0.03)
# Nobody but who means to buy goes to the checkout, so that it shows intent without error.
INTENT = World(
    "intent",
    activity_ratio=1.0,
    abandoned_share=0.0,
    intent_share=0.15,
    intent_ratio=20.0,
    reading_ratios=(0.15, 4.0),
)
WORLDS = {world.name: world for world in (ACTIVITY, INTENT)}
