"""Every fault of the catalogue is met as it says, and changes nothing it must not change."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from orchestration.batches import Manifest
from orchestration.errors import ArvoError
from orchestration.versions import LINK
from tests.faults import page
from tests.faults.catalogue import CATALOGUE
from tests.faults.fault import QUARANTINED, REFUSED, WARNED, Fault, Holds
from tests.faults.site import CHECK, GATE_IN, LAND, PUBLISH, READ, TOGETHER, WHOLE, Met, Site

SHARED = [fault for fault in CATALOGUE if fault.until == TOGETHER]
ALONE = [fault for fault in CATALOGUE if fault.until != TOGETHER]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo, published and two days behind."""
    with pytest.MonkeyPatch.context() as patch:
        yield Site(tmp_path_factory.mktemp("faults"), patch)


@pytest.fixture(scope="module")
def undisturbed(made: Site) -> Mapping[str, Manifest]:
    """What every file lands when nothing is wrong with it."""
    made.restore()
    made.arrive()
    assert made.refreshed(LAND).error is None
    return made.manifests()


@pytest.fixture(scope="module")
def together(made: Site, undisturbed: Mapping[str, Manifest]) -> Mapping[str, Exception | None]:
    """What became of the faults that share a refresh, because they must make no difference."""
    made.restore()
    made.arrive()
    holds = {fault.name: fault.spoil(made) for fault in SHARED}
    met = made.refreshed(WHOLE)
    assert met.error is None, met.error
    return {name: _failure(held, met) for name, held in holds.items()}


def _failure(holds: Holds | None, met: Met) -> Exception | None:
    try:
        assert holds is not None
        holds(met)
    except Exception as error:
        return error
    return None


@pytest.fixture
def site(made: Site, undisturbed: Mapping[str, Manifest]) -> Iterator[Site]:
    """The site as it was made."""
    with pytest.MonkeyPatch.context() as patch:
        made.patch = patch
        made.restore()
        yield made


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in CATALOGUE}) == len(CATALOGUE) > 60


def test_the_page_of_the_faults_is_what_the_catalogue_says() -> None:
    assert page.path().read_text() == page.page()


@pytest.mark.parametrize("until", [CHECK, LAND, GATE_IN, PUBLISH, READ])
def test_without_a_fault_every_step_passes_without_a_word(site: Site, until: str) -> None:
    if until in (LAND, GATE_IN):
        site.arrive()
    met = site.refreshed(until)
    assert met.error is None
    assert met.warnings == []


@pytest.mark.parametrize("fault", SHARED, ids=[fault.name for fault in SHARED])
def test_a_fault_that_changes_nothing_changes_nothing(
    together: Mapping[str, Exception | None], fault: Fault
) -> None:
    failure = together[fault.name]
    if failure:
        raise failure


@pytest.mark.parametrize("fault", ALONE, ids=[fault.name for fault in ALONE])
def test_a_fault_is_met_as_the_catalogue_says(
    site: Site, undisturbed: Mapping[str, Manifest], fault: Fault
) -> None:
    if fault.until in (GATE_IN, WHOLE):
        site.arrive()
    holds = fault.spoil(site)
    before = site.published()
    met = site.refreshed(fault.until)
    assert_outcome(met, fault)
    if fault.outcome == QUARANTINED:
        assert_quarantined(site, met, fault, undisturbed)
    if holds:
        holds(met)
    after = site.published()
    if fault.outcome == REFUSED or fault.until not in (PUBLISH, WHOLE):
        assert after == before
    else:
        # The link may lead to a new version; one that is published never changes.
        assert {**after, LINK: ""} | before == {**after, LINK: before[LINK]}


def assert_outcome(met: Met, fault: Fault) -> None:
    if fault.outcome == REFUSED:
        assert isinstance(met.error, ArvoError)
        assert_told(fault, [str(met.error)])
        assert met.error.exit_code == fault.code
        return
    assert met.error is None
    if fault.outcome == WARNED:
        assert_told(fault, met.warnings)


def assert_told(fault: Fault, texts: list[str], count: int = 1) -> None:
    told = [text for text in texts if re.search(fault.pattern, " ".join(text.split()))]
    assert len(told) == count, texts


def assert_quarantined(
    site: Site, met: Met, fault: Fault, undisturbed: Mapping[str, Manifest]
) -> None:
    """The spoiled rows are in quarantine, and all others landed as they ever do."""
    found, usual, landed, landed_usually = Counter[tuple[str, str]](), Counter(), 0, 0
    for manifest in met.new:
        found += site.quarantined(manifest)
        usual += site.quarantined(undisturbed[manifest.source_name])
        landed += manifest.landed_count
        landed_usually += undisturbed[manifest.source_name].landed_count
    assert found >= usual
    spoiled = found - usual
    assert_told(fault, [reasons for reasons, _ in spoiled.elements()], fault.rows)
    assert spoiled.total() == fault.rows
    assert landed == landed_usually - fault.lost
