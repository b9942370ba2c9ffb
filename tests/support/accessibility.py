"""What the tests of every view ask of it: nothing that axe finds, and a keyboard that reaches all there is."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# What is laid out only when it comes near moves what is below it while axe measures: a target then seems to be covered.
_LAY_OUT = """() => {
  const late = [...document.querySelectorAll('*')].filter(one => getComputedStyle(one).contentVisibility === 'auto');
  late.forEach(one => { one.style.contentVisibility = 'visible'; });
}"""
# Of radio buttons one of a group is reached, by arrows the others.
_NUMBER = """() => {
  const kinds = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  const shown = one => one.checkVisibility({contentVisibilityAuto: false, visibilityProperty: true}) && !one.disabled
    && one.tabIndex >= 0 && !(one.type === 'radio' && !one.checked && document.querySelector(`input[name="${one.name}"]:checked`));
  const root = document.querySelector('dialog[open]') ?? document;
  const all = [...root.querySelectorAll(kinds)].filter(shown);
  all.forEach((one, n) => { one.dataset.walk = String(n); });
  return all.map(one => `${one.tagName} ${one.id || one.name || one.className} ${(one.innerText || one.value || '').slice(0, 40)}`);
}"""
_WHERE = """() => {
  const one = document.activeElement;
  const marked = [one, one.nextElementSibling].some(part => part && getComputedStyle(part).outlineStyle !== 'none');
  return [Number(one?.dataset?.walk ?? -1), marked];
}"""
# A field for a date has a stop for each of its parts, and a list that scrolls one of its own.
_MORE = "document.querySelectorAll('input[type=datetime-local]').length * 7 + document.querySelectorAll('.scroll').length + 10"


def scan(page: Page, view: str = "") -> None:
    """Assert that axe finds nothing in a view.

    Parameters
    ----------
    page : Page
    view : str
        Its name, for the report.
    """
    page.evaluate(_LAY_OUT)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": list(_TAGS)}}).response
    said = [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:3]) for v in found["violations"]]
    assert not said, f"{view}: {said}"
    assert len(found["passes"]) > 10, view


def walk(page: Page, view: str = "") -> None:
    """Assert that Tab alone leads to everything in a view that can be used, each time with a mark that can be seen.

    Parameters
    ----------
    page : Page
    view : str
        Its name, for the report.
    """
    names = page.evaluate(_NUMBER)
    if not page.locator("dialog[open]").count():
        page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
    missing, unmarked = set(range(len(names))), set()
    for _ in range(len(names) + page.evaluate(_MORE)):
        page.keyboard.press("Tab")
        number, marked = page.evaluate(_WHERE)
        missing.discard(number)
        if number >= 0 and not marked:
            unmarked.add(number)
        if not missing:
            break
    lacking = {"not reached": sorted(missing), "without a mark": sorted(unmarked)}
    said = {kind: [names[n] for n in found] for kind, found in lacking.items() if found}
    assert not said, f"{view}: {said}"
