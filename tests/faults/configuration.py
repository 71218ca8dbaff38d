"""Faults of publisher.yml: told with the line and the remedy before anything runs."""

import datetime as dt

from orchestration import homes
from tests.faults.fault import REFUSED, Chapter
from tests.faults.site import CHECK, LAND, Site

CHAPTER = Chapter("Configuration", CHECK)
FILE = "publisher.yml"


@CHAPTER.fault(
    "a feed that is mistyped",
    FILE,
    REFUSED,
    "there is no feed 'evnts'. Did you mean 'events'?",
    code=2,
)
def mistyped_feed(site: Site) -> None:
    site.configure("feeds", "evnts", value={"files": "events/*.parquet"})


@CHAPTER.fault(
    "a time zone that does not exist",
    FILE,
    REFUSED,
    "there is no time zone 'Europe/Helsinky'. Did you mean 'Europe/Helsinki'?",
    code=2,
)
def no_time_zone(site: Site) -> None:
    site.configure("time_zone", value="Europe/Helsinky")


@CHAPTER.fault(
    "a reporting currency that does not exist",
    FILE,
    REFUSED,
    "'EURO' is no currency of ISO 4217",
    code=2,
)
def no_currency(site: Site) -> None:
    site.configure("currency", value="EURO")


@CHAPTER.fault(
    "a mapped column that the source lacks",
    FILE,
    REFUSED,
    "feed 'payments', 'amount': the source has no column 'summ'. Did you mean 'sum'?",
    code=2,
)
def no_such_column(site: Site) -> None:
    site.configure("feeds", "payments", "columns", "amount", value="summ")


@CHAPTER.fault(
    "a second statement hidden in an expression",
    FILE,
    REFUSED,
    "feed 'payments', column 'amount': the expression … does not parse",
    code=2,
)
def second_statement(site: Site) -> None:
    site.configure("feeds", "payments", "columns", "amount", value="sum); drop table x; select (1")


@CHAPTER.fault(
    "a tab where YAML wants blanks",
    FILE,
    REFUSED,
    "is not valid YAML: … Mend the line named",
    code=2,
)
def tab(site: Site) -> None:
    site.path.write_text(site.path.read_text().replace("feeds:\n  ", "feeds:\n\t", 1))


@CHAPTER.fault(
    "a variable that is not set",
    FILE,
    REFUSED,
    "feed 'costs' reads ${ARVO_NOWHERE}, which is not set in the environment",
    code=2,
)
def unset_variable(site: Site) -> None:
    site.configure("feeds", "costs", "files", value="${ARVO_NOWHERE}/costs.csv")


@CHAPTER.fault(
    "an as-of day in the future",
    FILE,
    REFUSED,
    "'as_of' is 2096-06-30, which has not come yet",
    code=2,
)
def future_as_of(site: Site) -> None:
    site.configure("as_of", value=dt.date(2096, 6, 30))


@CHAPTER.fault(
    "the home of another publisher",
    FILE,
    REFUSED,
    "was made for publisher 'demo', not 'sanomat': mixing them would mix their customers",
    code=2,
)
def foreign_home(site: Site) -> None:
    site.configure("publisher", value="sanomat")


@CHAPTER.fault(
    "another time zone for a home whose days are counted already",
    FILE,
    REFUSED,
    "was made for time zone 'Europe/Helsinki', not 'Europe/Paris'",
    code=2,
)
def other_time_zone(site: Site) -> None:
    site.configure("time_zone", value="Europe/Paris")


@CHAPTER.fault(
    "a pattern that matches no file of a feed that never landed",
    FILE,
    REFUSED,
    "feed 'costs': no file matches … Check the folder and the pattern",
    until=LAND,
    code=2,
)
def no_file(site: Site) -> None:
    site.configure("feeds", "costs", "files", value="nowhere/*.csv")
    site.forget("costs")


@CHAPTER.fault(
    "an option the reader does not know",
    FILE,
    REFUSED,
    "payments.csv: unknown option 'delimiter'. Known are:",
    code=2,
)
def unknown_option(site: Site) -> None:
    site.configure("feeds", "payments", "options", value={"delimiter": ";"})


@CHAPTER.fault(
    "a refresh of the whole when another is running",
    "the home's lock",
    REFUSED,
    "a refresh is running in … already: 20260101T000000Z-0001 (process",
    code=3,
)
def held_lock(site: Site) -> None:
    site.condition = homes.lock(site.home, "20260101T000000Z-0001")
