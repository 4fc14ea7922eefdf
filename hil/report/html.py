"""The report: one HTML file that needs nothing else, with the same bytes for the same run."""

from __future__ import annotations

import json

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hil.judge.model import Verdict, verdict_json
from hil.record.reader import Run
from hil.report import text
from hil.report.view import Signer, devices, scenario_view, tally


def render_html(run: Run, verdict: Verdict, signer: Signer | None = None) -> str:
    """The whole page. `signer` is whose key will sign it; None where nobody does.

    Every text of the record is escaped: what devices say of themselves is not trusted.
    """
    template = _environment().get_template("report.html.j2")
    return template.render(
        run=run,
        plan=run.plan,
        host=run.host,
        verdict=verdict,
        signer=signer,
        headline=text.HEADLINES[verdict.outcome],
        tally=tally(verdict),
        scenarios=[scenario_view(run, scenario) for scenario in verdict.scenarios],
        devices=devices(run),
        rig_content=json.dumps(run.plan["rig"].get("content", {}), indent=2, ensure_ascii=False),
        verdict_data=embedded_json(verdict),
    )


def embedded_json(verdict: Verdict) -> Markup:
    """The verdict for a `<script type="application/json">`: no character in it can end the
    element or be taken for markup."""
    plain = verdict_json(verdict).decode().strip()
    for character in "<>&\u2028\u2029":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return Markup(plain)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hil.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        duration=text.duration,
        number=text.number,
        mark=text.mark,
        hop=text.hop,
        facts=text.facts,
        solver=text.solver,
        drawing=Markup,
    )
    environment.globals["share"] = text.share
    return environment
