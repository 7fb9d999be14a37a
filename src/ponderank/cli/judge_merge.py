"""``ponderank judge merge``, ``apply`` and ``compare``: from several people's grades to another evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ponderank.cli.output import Form

if TYPE_CHECKING:
    from ponderank.judging.merge import Gathered
    from ponderank.judging.pool import Pool


def merge(
    stores: Annotated[list[Path], typer.Argument(help="Stores of judgements.")],
    out: Annotated[Path, typer.Option("--out", help="One row an item (JSONL).", metavar="FILE")],
    policy: Annotated[
        str,
        typer.Option(
            "--policy", help="majority, first, strictest, lenient; adjudicate writes what they disagree on as a pool."
        ),
    ] = "majority",
    ties: Annotated[str, typer.Option("--ties", help="Of a majority: open, lower, higher.")] = "open",
    blind_only: Annotated[
        bool, typer.Option("--blind-only", help="Only grades given before anything hidden was looked at.")
    ] = False,
    pools: Annotated[
        list[str] | None,
        typer.Option("--pool", help="Only this pool (the beginning of its fingerprint); may be repeated."),
    ] = None,
) -> None:
    """Make one grade of several people's, and print how far they agree; both are in OUT.report.json too.

    What one adjudicated decides over any policy.
    """
    from ponderank import manifest as manifests
    from ponderank.cli.exits import say
    from ponderank.judging.agreement import agreement
    from ponderank.judging.merge import gather, grades_by_item, write_merged
    from ponderank.judging.merge import merge as merged

    read = _read(stores, pools or [])
    gathered = gather(read, blind_only=blind_only)
    if policy == "adjudicate":
        _disagreements(gathered, [pool for pool, _ in read.values()], out)
        return
    rows = merged(gathered, policy, ties=ties)
    write_merged(rows, out)
    agreed = agreement(grades_by_item(gathered))
    still = sum(row.grade is None for row in rows)
    settings = {"stores": [str(path) for path in stores], "policy": policy, "ties": ties, "blind_only": blind_only}
    report = {**settings, "pools": list(read), "rows": len(rows), "open": still, "agreement": agreed}
    manifests.write_whole(out.with_name(out.name + ".report.json"), manifests.dumped(report))
    print(_table(agreed))
    remedy = f"; {still:,} ties are open: --ties, or --policy adjudicate" if still else ""
    say(f"{len(rows):,} items in {out}{remedy}")


def apply(
    rows: Annotated[Path, typer.Argument(help="What `judge merge` wrote.", metavar="MERGED")],
    qrels: Annotated[Path, typer.Option("--qrels", help="The old judgements, TREC or BEIR.", metavar="FILE")],
    out: Annotated[Path, typer.Option("--out", help="The new ones, in the same format.", metavar="FILE")],
    overrule: Annotated[
        bool, typer.Option("--overrule", help="Let new grades replace old ones; otherwise only what had none gets one.")
    ] = False,
) -> None:
    """Write new judgements, and where each comes from in OUT.provenance.jsonl."""
    from ponderank.cli.exits import say
    from ponderank.errors import DataError
    from ponderank.judging.apply import changes, counts, write_patched, write_provenance
    from ponderank.judging.merge import read_merged

    if out.exists() and out.samefile(qrels):
        raise DataError("this would overwrite the old judgements; give another --out", path=out)
    found = changes(qrels, read_merged(rows), overrule=overrule)
    write_patched(qrels, found, out)
    write_provenance(found, out, qrels_path=qrels, merged_path=rows, overrule=overrule)
    done = counts(found)
    hint = " (--overrule replaces these)" if done["kept"] else ""
    say(
        f"{out}: {done['added']:,} added, {done['overruled']:,} overruled, {done['same']:,} judged alike, "
        f"{done['kept']:,} kept as they were{hint}, {done['open']:,} open"
    )


def compare(
    qrels: Annotated[list[Path], typer.Option("--qrels", help="Judgements; repeat for old and new.", metavar="FILE")],
    runs: Annotated[list[Path], typer.Option("--run", help="A TREC run; may be repeated.", metavar="FILE")],
    measures: Annotated[
        list[str] | None, typer.Option("-m", "--measure", help="In ir-measures' words. [default: nDCG@10]")
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=1, help="The k of Judged@k and of the bounds.")] = 10,
    form: Annotated[
        Form, typer.Option("--format", help="json prints a list, an object for each run and judgements.")
    ] = Form.table,
) -> None:
    """Show runs under old and new judgements side by side, with Judged@k.

    The bounds are of two cases: nothing that is unjudged in the top k is relevant, or all of it has the top grade.
    """
    from ponderank.cli.output import grid, is_table
    from ponderank.data.trec import read_qrels, read_run
    from ponderank.judging.compare import compare as compared
    from ponderank.metrics import ranked

    names = list(measures or ["nDCG@10"])
    ranked.parse(names)
    judged = {str(path): read_qrels(path) for path in qrels}
    rows = compared(judged, {str(path): read_run(path) for path in runs}, names, k=depth)
    if not is_table(form):
        print(json.dumps(rows, indent=2))
        return
    head = ["run", "judgements", f"Judged@{depth}", *(cell for name in names for cell in (name, "low", "high"))]
    cells = []
    for row in rows:
        values = [f"{row['judged']:.4f}"]
        for name in names:
            one = row["measures"][name]
            values += [f"{one['value']:.4f}", *(f"{bound:.4f}" for bound in one["bounds"])]
        cells.append([row["run"], row["qrels"], *values])
    print(grid(head, cells))


def _read(stores: list[Path], wanted: list[str]) -> dict[str, Any]:
    """The pools of all stores with their events."""
    from ponderank.errors import DataError
    from ponderank.judging.store import Store

    found: dict[str, Any] = {}
    for path in stores:
        with Store(path, must_exist=True) as store:
            for name, pool in store.pools().items():
                if not wanted or any(name.startswith(one) for one in wanted):
                    earlier = found[name][1] if name in found else []
                    known = {event.client for event in earlier}
                    new = [event for event in store.events(name) if event.client not in known]
                    found[name] = (pool, earlier + new)
    if not any(events for _, events in found.values()):
        raise DataError("nobody has judged anything here yet" if found else "no such pool in the stores")
    return found


def _disagreements(gathered: Gathered, pools: list[Pool], out: Path) -> None:
    from ponderank.cli.exits import say
    from ponderank.judging.merge import disagreements
    from ponderank.judging.opinions import beside, write_opinions
    from ponderank.judging.pool import write_pool

    pool, told = disagreements(gathered, pools[0])
    write_pool(pool, out)
    write_opinions(told, beside(out))
    say(f"{len(pool.items):,} disagreements in {out}; serve it with the same --store, its grades decide")


def _table(agreed: dict[str, Any]) -> str:
    from ponderank.cli.output import flat, grid

    def told(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    parts = [grid(["assessor", "items"], [[flat(name), f"{count:,}"] for name, count in agreed["assessors"].items()])]
    if agreed["pairs"]:
        rows = [
            [
                " & ".join(map(flat, pair["assessors"])), f"{pair['items']:,}", f"{pair['same']:,}", told(pair["kappa"]),
                told(pair["kappa_linear"]), told(pair["kappa_quadratic"]),
            ]
            for pair in agreed["pairs"]
        ]  # fmt: skip
        parts.append(grid(["Cohen's kappa", "items", "same", "plain", "linear", "quadratic"], rows))
        fleiss, alpha = agreed["fleiss"], agreed["alpha"]
        rows = [["Fleiss' kappa", f"{fleiss['items']:,}", told(fleiss["kappa"])]]
        rows += [
            [f"Krippendorff's alpha, {name}", f"{agreed['judged_twice']:,}", told(value)]
            for name, value in alpha.items()
        ]
        parts.append(grid(["all together", "items", ""], rows))
    return "\n\n".join(parts)
