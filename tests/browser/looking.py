"""What a reader would mind of a page: in light and dark, wide and narrow, without loading it again."""

from itertools import product

from playwright.sync_api import Page

from tests.browser.accessible import LOOKED_AT, RULES, violations

THEMES, WIDTHS = ("light", "dark"), (1440, 390)
#: Every text that ends where its box does, with nothing to say so: no ellipsis, no way to scroll.
_CUT = """() => {
  const cut = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.nodeValue.trim();
    const box = node.parentElement;
    const icons = ".gh-hidden, .sr-only, .material-symbols-outlined, .gh-skip, option, noscript";
    if (!text || !box.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (box.closest(icons)) continue;
    range.selectNodeContents(node);
    const shown = range.getBoundingClientRect();
    if (!shown.width || !shown.height) continue;
    for (let each = box; each && each !== document.body; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.position === "fixed" || /auto|scroll/.test(style.overflowX + style.overflowY)) break;
      const clips = /hidden|clip/.test(style.overflowX) && style.display !== "inline";
      if (!clips) continue;
      const edge = each.getBoundingClientRect();
      if (edge.width < 2) break; // for those who listen
      const wide = shown.right > edge.right + 1 || shown.left < edge.left - 1;
      const tall = shown.bottom > edge.bottom + 3 || shown.top < edge.top - 3;
      const said = style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none";
      const by = each.className || each.tagName;
      if ((wide || tall) && !said) cut.push(`"${text.slice(0, 40)}" is cut by ${by}`);
      if (wide || tall) break;
    }
  }
  return [...new Set(cut)];
}"""
#: Choices that look like fields to type in, code that the button over it covers, and icons that the font has
#: not: their names stand there in letters.
_UNCLEAR = """async () => {
  const found = [];
  await document.fonts.ready;
  const range = document.createRange();
  for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
    range.selectNodeContents(icon);
    const { width, height } = range.getBoundingClientRect();
    if (width > 1.2 * height && icon.checkVisibility()) found.push(`no icon "${icon.textContent.trim()}"`);
  }
  for (const choice of document.querySelectorAll(".gh select")) {
    const style = getComputedStyle(choice);
    const plain = style.appearance === "none" && style.backgroundImage === "none";
    if (plain && choice.checkVisibility()) found.push(`nothing says that ${choice.name} opens`);
  }
  for (const button of document.querySelectorAll(".gh-copy")) {
    const code = button.parentElement.querySelector("code");
    const [over, under] = [button.getBoundingClientRect(), code.getClientRects()[0] ?? new DOMRect()];
    if (under.top < over.bottom && under.right > over.left) found.push("a button covers code");
  }
  return [...new Set(found)];
}"""


def cut_texts(page: Page) -> list[str]:
    """Every text that its box cuts, and by which."""
    found: list[str] = page.evaluate(_CUT)
    return found


def unclear(page: Page) -> list[str]:
    """What is there and says not what it is."""
    found: list[str] = page.evaluate(_UNCLEAR)
    return found


def minded(page: Page, *, by_all_rules: bool = True) -> list[str]:
    """What is wrong with a page that is open: too wide, cut, unclear, or against the rules of accessibility.
    All of these are asked of one look at most, those that see the look of each."""
    found = []
    for number, (width, theme) in enumerate(product(WIDTHS, THEMES)):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.locator("html.dark" if theme == "dark" else "html:not(.dark)").wait_for(state="attached")
        wrong = [] if page.evaluate("document.documentElement.scrollWidth <= innerWidth") else ["too wide"]
        wrong += cut_texts(page) + unclear(page)
        wrong += violations(page, RULES if by_all_rules and number == 0 else LOOKED_AT)
        found += [f"{theme} {width}: {each}" for each in wrong]
    return found
