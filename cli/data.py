"""Import and describe bars: `breakwater data import|describe`."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import OUT
from cli.interrupts import undoing_at_interrupts
from cli.modes import refuse_without_simulation
from cli.options import ConfigOption, JsonOption, UsageError, named_path, parse_date, parse_symbols
from cli.output import command, print_json
from cli.registry import read_settings
from cli.writing import refuse_overwriting
from config.settings import Settings
from domain.errors import DataError, DurabilityError, EnvironmentFault

if TYPE_CHECKING:
    from simulation.importing.report import ImportReport

app = typer.Typer()

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        parser=named_path,
        help="Bars: Parquet, CSV, CSV in gzip, or a directory of CSV files.",
    ),
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--symbols", metavar="A,B", help="Symbols to read (default: all in the file); may be given again."
    ),
]


@app.command("import")
@command
def import_file(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.parquet", help="File to write the bars to.")],
    symbols: SymbolsOption = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last session to keep.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file --out where it exists.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read bars, adjust them for splits, refuse bad rows into a file beside --out, and store the rest."""
    if out.suffix != ".parquet":
        raise UsageError(f"--out: found {out}; allowed: a name that ends in .parquet")
    refuse_overwriting(out, None, force=force)
    if out.exists() and file.exists() and out.samefile(file):
        raise UsageError(f"--out: {out} is the file to read; name another")
    kept_aside = out.with_suffix(".refused.csv")
    refuse_overwriting(kept_aside, None, force=force)
    refuse_without_simulation(os.environ, "data import")
    names, last = parse_symbols(symbols), parse_date("--to", end)
    settings = read_settings(config, dict(os.environ))
    report = _import(file, out, names, last, kept_aside, settings)
    _show(report, out, as_json=as_json)


def _import(
    file: Path,
    out: Path,
    symbols: tuple[str, ...] | None,
    end: date | None,
    kept_aside: Path,
    settings: Settings,
) -> ImportReport:
    """Read `file` and write `out`; what was refused stays in `kept_aside`."""
    from simulation.importing.importer import import_bars
    from storage.catalogue import write_bars

    try:
        with undoing_at_interrupts(lambda: kept_aside.unlink(missing_ok=True)):
            kept_aside.unlink(missing_ok=True)
            imported = import_bars(
                file,
                symbols=symbols,
                start=None,
                end=end,
                instruments=settings.instrument,
                kept_aside=kept_aside,
            )
            write_bars(out, imported.table, imported.report.stored_notes())
            if not imported.report.rows_refused:
                kept_aside.unlink(missing_ok=True)
    except DataError as error:
        raise DataError(
            f"{error}; the refused rows are in {kept_aside}" if kept_aside.exists() else str(error)
        ) from error
    except DurabilityError as error:
        raise EnvironmentFault(
            f"{error}; name a place that you may write to with --out FILE.parquet"
        ) from error
    except OSError as error:
        raise _unreadable(file, error) from error
    return imported.report


@app.command()
@command
def describe(
    file: FileArgument,
    symbols: SymbolsOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what importing a file would do: rows and rules, splits, dividends, gaps. Nothing is written."""
    refuse_without_simulation(os.environ, "data describe")
    from simulation.importing import importer

    settings = read_settings(config, dict(os.environ))
    try:
        report = importer.describe(file, symbols=parse_symbols(symbols), instruments=settings.instrument)
    except OSError as error:
        raise _unreadable(file, error) from error
    _show(report, None, as_json=as_json)


def _unreadable(file: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"{error.filename or file}: {error.strerror or error}; give a file that you may read"
    )


def _show(report: ImportReport, out: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(report_values(report, out))
    else:
        from cli.data_text import print_report

        print_report(OUT, report, out)


def report_values(report: ImportReport, out: Path | None) -> dict[str, Any]:
    """Return an import's report as `--json` prints it; `kept_aside` is null where no row was refused."""
    values = report.as_dict()
    if not report.rows_refused:
        values["kept_aside"] = None
    return {"written": None if out is None else str(out), **values}
