"""The refresh as Dagster sees it: source → landing → gate → model → gate → publish.

Holds the graph only: which step comes after which, what each shows in the page, and which
errors are worth a retry. What the steps do is refresh.py's.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    dbt_assets,
)
from packaging.version import Version
from pydantic import PrivateAttr

from orchestration import landing, models, publisher, refresh, settings
from orchestration.batches import Manifest
from orchestration.contracts import contracts
from orchestration.errors import ArvoError, RefusedError, SystemFailure
from orchestration.examiner import Examiner
from orchestration.publisher import Publisher
from orchestration.settings import Home
from quality import landing as suites_in
from quality import marts as suites_out
from quality.gate import CheckResult, Verdict

SOURCE, LANDING, MODEL, GATE, PUBLISH = "source", "landing", "model", "gate", "publish"
# A source that is away for a moment comes back; what the data itself got wrong does not.
SOURCE_RETRIES = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)
BATCHES_KEY = dg.AssetKey([GATE, "new_batches"])
CANDIDATE_KEY = dg.AssetKey([GATE, "candidate"])
MARTS_KEY = dg.AssetKey([PUBLISH, "marts"])
REFRESH_TAG = "arvo/refresh_id"
NOTHING_TO_JUDGE = "Nothing new that it judges."


class RefreshRun(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The refresh that the steps of a run share; holds the home's lock while the run lasts."""

    publisher_file: str
    as_of: str = ""
    full: bool = False
    accept_change: str = ""

    _run: refresh.Refresh | None = PrivateAttr(default=None)

    @property
    def run(self) -> refresh.Refresh:
        """The refresh under way."""
        if self._run is None:
            raise SystemFailure("no refresh is under way; run the whole job `refresh`.")
        return self._run

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["RefreshRun"]:
        """Opens the refresh before the first step and writes its report after the last."""
        stated = publisher.load(Path(self.publisher_file))
        home = Home(settings.home_path(stated.name))
        say = SPEAKERS.get(str(home.root)) or (context.log or dg.get_dagster_logger()).info
        examiner = EXAMINERS.get(str(home.root)) or Examiner()
        with (
            closing(examiner),
            refresh.opened(
                home,
                stated,
                as_of=dt.date.fromisoformat(self.as_of) if self.as_of else None,
                is_full=self.full,
                accepted=self.accept_change,
                say=say,
                judge=examiner.judge,
            ) as run,
        ):
            self._run = run
            LATEST[str(home.root)] = run
            if self.full or refresh.looks_new(home, stated):
                examiner.start()
            if context.instance and context.run_id and context.instance.has_run(context.run_id):
                context.instance.add_run_tags(context.run_id, {REFRESH_TAG: run.refresh_id})
            yield self


# What the command line hands to, and takes from, a run in its own process: by home.
SPEAKERS: dict[str, Any] = {}
EXAMINERS: dict[str, Examiner] = {}
LATEST: dict[str, refresh.Refresh] = {}


@contextmanager
def _explained() -> Iterator[None]:
    """Turns arvo's errors into failures that Dagster shows as they read."""
    try:
        yield
    except ArvoError as error:
        retry = isinstance(error, SystemFailure)
        raise dg.Failure(description=str(error), allow_retries=retry) from error


def source_specs(stated: Publisher) -> list[dg.AssetSpec]:
    """What lies outside arvo: the files each feed is read from."""
    return [
        dg.AssetSpec(
            [SOURCE, feed],
            group_name=SOURCE,
            description=f"Files of the publisher: {', '.join(config.files)}.",
            kinds={landing.file_kind(config)},
        )
        for feed, config in stated.feeds.items()
    ]


def landing_assets(stated: Publisher) -> list[dg.AssetsDefinition]:
    """One asset per feed."""
    return [_landing_asset(feed) for feed in stated.feeds]


def _landing_asset(feed: str) -> dg.AssetsDefinition:
    contract = contracts()[feed]

    @dg.asset(
        key=[LANDING, feed],
        deps=[dg.AssetKey([SOURCE, feed])],
        group_name=LANDING,
        description=f"{contract.description} Immutable batches, pseudonymised and typed.",
        retry_policy=SOURCE_RETRIES,
        kinds={"parquet"},
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[
                    dg.TableColumn(c.name, c.data_type, c.description) for c in contract.columns
                ]
            )
        },
    )
    def landed(refresh_run: RefreshRun) -> dg.MaterializeResult[None]:
        with _explained():
            done = refresh.land(refresh_run.run, feed)
        return dg.MaterializeResult(metadata=_landed_metadata(done.new))

    return landed


def _landed_metadata(new: Sequence[Manifest]) -> dict[str, Any]:
    return {
        "new files": [m.source_name for m in new],
        "dagster/row_count": sum(m.landed_count for m in new),
        "quarantined": sum(m.quarantined_count for m in new),
        "filtered by where": sum(m.filtered_count for m in new),
    }


def gate_in(stated: Publisher) -> dg.AssetsDefinition:
    """Judges the new batches of all feeds at once; nothing is modelled before."""
    feeds = [
        dg.AssetSpec(
            [GATE, feed],
            deps=[[LANDING, feed]],
            group_name=GATE,
            skippable=True,
            description=f"{feed}: landed batches that the gate let in.",
        )
        for feed in stated.feeds
    ]
    every = dg.AssetSpec(
        BATCHES_KEY,
        deps=[[LANDING, feed] for feed in stated.feeds],
        group_name=GATE,
        skippable=True,
        description="Checks over the new batches of all feeds together, before anything is built.",
        kinds={"greatexpectations"},
    )
    checks = [_check_spec(suite, BATCHES_KEY) for suite in suites_in.SHARED_SUITES]
    checks += [
        _check_spec(suites_in.volume_name(feed), dg.AssetKey([GATE, feed])) for feed in stated.feeds
    ]

    @dg.multi_asset(name="gate_in", specs=[*feeds, every], check_specs=checks)
    def judged(context: dg.AssetExecutionContext, refresh_run: RefreshRun) -> Iterator[Any]:
        run = refresh_run.run
        with _explained():
            if not refresh.has_work(run):
                yield from _check_results(checks, Verdict("landing", (), ()))
                return
            refresh.prepare_models(run)
            try:
                verdict = refresh.gate_in(run)
            except RefusedError:
                yield from _check_results(checks, run.verdicts[-1])
                raise
        yield from _check_results(checks, verdict)
        for key in context.op_execution_context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key)

    return judged


def missing_feeds(stated: Publisher) -> list[dg.AssetSpec]:
    """Feeds that the models read and the publisher does not configure: empty."""
    return [
        dg.AssetSpec(
            [GATE, feed],
            group_name=GATE,
            description=f"{feed} is no feed of publisher.yml: empty, and what it would tell null.",
        )
        for feed in contracts()
        if feed not in stated.feeds
    ]


class ModelTranslator(DagsterDbtTranslator):
    """Where dbt's models stand in the graph: behind the gate, in the group `model`."""

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        """The spec of a model, or of the source a model reads."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        name = node["name"]
        if node["resource_type"] == "source" and node["source_name"] == "run":
            # What gate_in tells the models of the run, before it judges the batches.
            return spec.replace_attributes(key=BATCHES_KEY, group_name=GATE)
        if node["resource_type"] == "source":
            return spec.replace_attributes(key=dg.AssetKey([GATE, name]), group_name=GATE)
        return spec.replace_attributes(key=dg.AssetKey([MODEL, name]), group_name=MODEL)


class Dbt(DbtCliResource):
    """dbt, without the two loads of it that Dagster adds to every invocation.

    To learn dbt's version it runs `dbt --version`, and to be able to fetch column metadata, which
    nobody asks for here, it loads dbt into this process: seconds each.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        return None


def model_assets() -> dg.AssetsDefinition:
    """All dbt models, their data tests as checks, in one dbt invocation."""

    @dbt_assets(
        manifest=models.manifest_path(),
        dagster_dbt_translator=ModelTranslator(
            settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
        ),
        name="models",
        exclude="resource_type:unit_test",
    )
    def built(
        context: dg.AssetExecutionContext, dbt: Dbt, refresh_run: RefreshRun
    ) -> Iterator[Any]:
        run = refresh_run.run
        target = run.home.build / "dbt"
        planned = run.planned
        with _explained():
            # A part of the models, stamped as the whole, would publish old marts as new ones.
            if planned is None or context.is_subset:
                raise SystemFailure(
                    "the models are only built together, behind the gate: run the job `refresh`."
                )
        arguments = models.build_arguments(planned)
        settings.export(models.environment(run.home))
        kept = models.kept_models(planned)
        log = run.folder / "dbt.log"
        with _explained(), run.step("model"), models.quiet(log):
            models.hand_over_parse(target)
            done = dbt.cli(arguments, context=context, target_path=target, raise_on_error=False)
            yield from _with_kept(done.stream(), kept)
            if not done.is_successful():
                failed = models.failures(run.home, target)
                refresh.model_failed(run, failed, models.message(target, log))
                raise run.error or SystemFailure("dbt failed.")
            refresh.stamp(run)
        run.say(f"model    {models.summary(target)}")

    return built


def _with_kept(events: Iterable[Any], kept: Mapping[str, set[str]]) -> Iterator[Any]:
    """What dbt tells, and the models it left alone, each after those it reads.

    Dagster skips whatever follows an asset that a run does not name, and wants parents first.

    Args:
        events: An `Output` per model built, and the results of tests.
        kept: Models that were not built, with the models each reads; parents first.
    """
    waiting, told = dict(kept), set[str]()
    for event in itertools.chain((None,), events):
        if event is not None:
            yield event
        if isinstance(event, dg.Output):
            told.add(event.output_name)
        for name in list(waiting):
            if told.issuperset(map(_output_name, waiting[name])):
                del waiting[name]
                told.add(_output_name(name))
                key = dg.AssetKey([MODEL, name])
                yield dg.MaterializeResult(asset_key=key, metadata={"kept": True})


def _output_name(model: str) -> str:
    return dg.AssetKey([MODEL, model]).to_python_identifier()


def publish_assets(marts: Sequence[str]) -> dg.AssetsDefinition:
    """Gate and publish in one step, so that no path publishes what the gate has not passed."""
    checks = [_check_spec(suite, CANDIDATE_KEY) for suite in suites_out.suite_names()]

    @dg.multi_asset(
        name="gate_and_publish",
        specs=[
            dg.AssetSpec(
                CANDIDATE_KEY,
                deps=[[MODEL, mart] for mart in marts],
                group_name=GATE,
                skippable=True,
                description="The very file that would be published, judged as a whole.",
                kinds={"greatexpectations"},
            ),
            dg.AssetSpec(
                MARTS_KEY,
                deps=[CANDIDATE_KEY],
                group_name=PUBLISH,
                skippable=True,
                description="The published version: all marts swapped at once, for analysts.",
                kinds={"duckdb"},
            ),
        ],
        check_specs=checks,
    )
    def published(refresh_run: RefreshRun) -> Iterator[Any]:
        run = refresh_run.run
        judged = len(run.verdicts)
        with _explained():
            try:
                version = refresh.publish(run)
            finally:
                for verdict in run.verdicts[judged:]:
                    yield from _check_results(checks, verdict)
        yield dg.MaterializeResult(asset_key=CANDIDATE_KEY)
        yield dg.MaterializeResult(
            asset_key=MARTS_KEY,
            metadata={
                "refresh": run.refresh_id,
                "file": dg.MetadataValue.path(str(version.path)),
                "report": dg.MetadataValue.path(str(run.folder / "index.html")),
            },
        )

    return published


# What the suites are about, for whoever looks at the graph.
SUITES = {
    "freshness": "How far each feed lies behind the as-of day.",
    "new_rows": "Every new row that a manifest counts is there to be judged.",
    "currencies": "Every currency in use has an exchange rate.",
    "known_ids": "Shares of rows without a visitor, and with ids that no other feed knows.",
    "volume_of_files": "Rows of each new file against what earlier files of its name brought.",
    "amounts": "Amounts of the new rows against what is possible and what is usual.",
    "presence": "Every mart is there, with rows where landing makes rows due.",
    "customer_value": "The components of every customer's value add up to the cent.",
    "customer_equity": "The running month is what its customers brought and are expected to bring.",
    "mrr_movements": "Every customer's month ends where it began plus what moved.",
    "mrr_monthly": "Every plan's month ends where it began plus what moved.",
    "mrr_months": "Company, customers and plans tell the same months, one leading to the next.",
    "visitor_value_daily": "What is allocated and what is not add up to every bill.",
    "social_value": "Recommendations are counted, and their credits add up.",
    "metrics": "Metrics are what the marts say that they summarise.",
    "goals": "Every goal that has begun stands where its metric does.",
    "initiatives": "Every initiative is told of, and what was told of it stays.",
    "estimates": "Estimates are possible, and those that are no good are withheld.",
    "reconciliation": "Totals of the marts against totals computed from landing.",
    "identifiers": "No e-mail address, telephone number or IP address, and only pseudonyms.",
    "last_version": "Counts and totals against the version that readers have now.",
}


def _check_spec(suite: str, asset: dg.AssetKey) -> dg.AssetCheckSpec:
    told = SUITES.get(suite, "Rows of the new days against the same weekday of four weeks.")
    return dg.AssetCheckSpec(suite, asset=asset, blocking=True, description=told)


def _check_results(
    specs: Sequence[dg.AssetCheckSpec], verdict: Verdict
) -> Iterator[dg.AssetCheckResult]:
    """The verdict, suite by suite; what refused the stage as a whole stands at the first."""
    known = {spec.name for spec in specs}
    strays = [r for r in verdict.results if r.suite not in known]
    for number, spec in enumerate(specs):
        results = [r for r in verdict.results if r.suite == spec.name]
        yield _check_result(spec, results + strays if number == 0 else results)


def _check_result(spec: dg.AssetCheckSpec, results: Sequence[CheckResult]) -> dg.AssetCheckResult:
    failed = [r for r in results if not r.is_passed]
    refusing = [r for r in failed if r.severity == "critical"]
    told = " ".join(f"{r.check_name}: {r.reason} Observed {r.observed}." for r in failed)
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if refusing else dg.AssetCheckSeverity.WARN,
        description=told or (f"{len(results)} checks passed." if results else NOTHING_TO_JUDGE),
        metadata={
            "checks": len(results),
            "failed": dg.MetadataValue.md(_failed_table(failed)) if failed else "none",
        },
    )


def _failed_table(failed: Sequence[CheckResult]) -> str:
    rows = [
        f"| {r.suite} | {r.check_name} | {r.severity} | {r.observed} | {r.expected} | "
        f"{r.reason} | {', '.join(r.offending_keys)} |"
        for r in failed
    ]
    head = "| suite | check | severity | observed | expected | reason | keys |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])
