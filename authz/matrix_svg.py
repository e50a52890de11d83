"""The matrix as a picture: one file, no script, no font of its own, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from authz.expand import NAMED_EFFECTS
from authz.matrix import GUARDED, HELD, INSIDE, MEANING, areas, cell
from authz.policy import HELD_BY, Permission, Policy, Role

ROW, COLUMN, HEADING, GAP = 21, 27, 34, 12  # heights and widths in pixels
MARGIN = 28
TITLE, LEGEND = 58, 80
BOX = 13
WIDTH_OF_A_LETTER, WIDTH_OF_A_KEY_LETTER = 6.3, 7.0  # on average, in the two fonts
SLANT = 0.77  # the sine of the 50 degrees by which the names above the columns are turned
PALETTE = ("#adb5bd", "#4dabf7", "#f5b301", "#f76707", "#d6336c")  # sensitivities, from least to most
STYLE = """
  .page { fill: #ffffff } .ink { fill: #1f2937 } .soft { fill: #6b7280 } .line { stroke: #e5e7eb }
  .stripe { fill: #8b95a5; fill-opacity: .09 }
  .held { fill: #4263eb } .edge { fill: #eef1ff; stroke: #4263eb; stroke-width: 1.5 }
  text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 12px }
  .key { font-family: ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', monospace; font-size: 11.5px }
  .name { font-size: 17px; font-weight: 600 } .area { font-size: 12.5px; font-weight: 600 } .small { font-size: 11px }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0f1420 } .ink { fill: #e5e7eb } .soft { fill: #9aa3b2 } .line { stroke: #2a3242 }
    .held { fill: #7c93ff } .edge { fill: #1c2747; stroke: #7c93ff }
  }
"""


def svg(policy: Policy) -> str:
    """Columns by who can hold the role, rows by area."""
    places = _columns(policy)
    head = TITLE + _slanted(policy)
    right = max(places.values()) + COLUMN + GAP
    width = right + _widest_title(policy) + MARGIN
    body, bottom = _body(policy, places, head, right, width)
    height = bottom + LEGEND
    said = f"{policy.name} {policy.version}, {policy.digest}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' role="img" aria-labelledby="title">',
            f'<title id="title">Who holds which permission: {escape(said)}</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
            f'<text class="ink name" x="{MARGIN}" y="42">{escape(policy.name)} {escape(policy.version)}</text>',
            f'<text class="soft key" x="{MARGIN}" y="62">{policy.digest}</text>',
            *_heads(policy, places, head),
            *_guides(places, head + 4, bottom),
            *body,
            *_legend(policy, bottom + 50),
            "</svg>",
            "",
        ]
    )


def _holders(role: Role) -> tuple[int, ...]:
    return tuple(HELD_BY.index(held_by) for held_by in HELD_BY if held_by in role.held_by)


def _columns(policy: Policy) -> dict[str, int]:
    """Role → where its column begins, to the right of the names; a gap where other people hold it."""
    places: dict[str, int] = {}
    at, before = MARGIN + 32 + round(max(map(len, policy.permissions)) * WIDTH_OF_A_KEY_LETTER), None
    for role in sorted(policy.roles.values(), key=lambda role: (_holders(role), role.key)):
        at += GAP if before is not None and _holders(role) != before else 0
        places[role.key], before = at, _holders(role)
        at += COLUMN
    return places


def _slanted(policy: Policy) -> int:
    longest = max(len(role.key) + len(_held_by(role)) + 2 for role in policy.roles.values())
    return round(longest * WIDTH_OF_A_LETTER * SLANT) + 18


def _widest_title(policy: Policy) -> int:
    """The titles begin to the right of the grid, and the names of the last columns lean over them."""
    longest = max(len(found.title) + len(_effect(found)) + 3 for found in policy.permissions.values())
    return max(round(longest * WIDTH_OF_A_LETTER), round(_slanted(policy) / SLANT * 0.64) - COLUMN)


def _held_by(role: Role) -> str:
    return " · ".join(HELD_BY[number] for number in _holders(role))


def _effect(permission: Permission) -> str:
    """What wildcards never reach is told apart."""
    return permission.effect if permission.effect in NAMED_EFFECTS else ""


def _heads(policy: Policy, places: dict[str, int], y: int) -> Iterator[str]:
    for key, at in places.items():
        x = at + COLUMN // 2 + 4
        holders = f'<tspan class="soft small" dx="6">{_held_by(policy.roles[key])}</tspan>'
        yield f'<text class="ink" transform="translate({x} {y - 4}) rotate(-50)">{key}{holders}</text>'


def _guides(places: dict[str, int], top: int, bottom: int) -> Iterator[str]:
    """A hairline a column, so that the eye finds back to the name."""
    for at in places.values():
        x = at + COLUMN / 2
        yield f'<path class="line" d="M{x} {top}V{bottom}"/>'


def _body(policy: Policy, places: dict[str, int], top: int, right: int, width: int) -> tuple[list[str], int]:
    """The rows, and where they end."""
    parts: list[str] = []
    y = top + 4
    for area, permissions in areas(policy):
        heading = escape(area.replace("_", " "))
        parts.append(f'<text class="ink area" x="{MARGIN}" y="{y + HEADING - 11}">{heading}</text>')
        parts.append(f'<path class="line" d="M{MARGIN} {y + HEADING - 4.5}H{width - MARGIN}"/>')
        y += HEADING
        for number, permission in enumerate(permissions):
            if number % 2:
                stripe = f'x="{MARGIN - 8}" y="{y}" width="{width - 2 * MARGIN + 16}" height="{ROW}" rx="4"'
                parts.append(f'<rect class="stripe" {stripe}/>')
            parts += _row(policy, permission, places, y, right)
            y += ROW
    return parts, y


def _row(policy: Policy, permission: Permission, places: dict[str, int], y: int, right: int) -> Iterator[str]:
    middle, baseline = y + ROW / 2, y + ROW / 2 + 4
    yield f'<circle cx="{MARGIN + 4}" cy="{middle}" r="4" fill="{_colour(policy, permission.rank)}"/>'
    yield f'<text class="ink key" x="{MARGIN + 16}" y="{baseline}">{permission.key}</text>'
    for role, at in places.items():
        x = at + (COLUMN - BOX) / 2
        yield from _mark(cell(policy, role, permission.key), x, middle - BOX / 2, f"{role}: {permission.title}")
    effect = f'<tspan class="ink" dx="7">{_effect(permission)}</tspan>'
    yield f'<text class="soft" x="{right}" y="{baseline}">{escape(permission.title)}{effect}</text>'


def _colour(policy: Policy, rank: int) -> str:
    steps = max(1, len(policy.sensitivities) - 1)
    return PALETTE[round(rank * (len(PALETTE) - 1) / steps)]


def _mark(mark: str, x: float, y: float, said: str) -> Iterable[str]:
    """Full, half or a dot only; nothing at all where the role does not hold it."""
    title = f"<title>{escape(said)} ({MEANING[mark]})</title>"
    box = f'x="{x}" y="{y}" width="{BOX}" height="{BOX}" rx="3"'
    if mark == HELD:
        return (f'<rect class="held" {box}>{title}</rect>',)
    if mark == GUARDED:
        half = f'<path class="held" d="M{x} {y + 3}v{BOX - 6}a3 3 0 0 0 3 3h{BOX - 6}z"/>'
        return (f'<rect class="edge" {box}>{title}</rect>', half)
    if mark == INSIDE:
        dot = f'<circle class="held" cx="{x + BOX / 2}" cy="{y + BOX / 2}" r="2.75"/>'
        return (f'<rect class="edge" {box}>{title}</rect>', dot)
    return ()


def _legend(policy: Policy, y: int) -> Iterator[str]:
    x: float = MARGIN
    for mark in (HELD, GUARDED, INSIDE):
        yield from _mark(mark, x, y - BOX / 2, "this mark")
        yield f'<text class="soft small" x="{x + BOX + 7}" y="{y + 4}">{MEANING[mark]}</text>'
        x += BOX + 7 + len(MEANING[mark]) * 5.8 + 20
    x = MARGIN
    for rank, sensitivity in enumerate(policy.sensitivities):
        yield f'<circle cx="{x + 4}" cy="{y - 24}" r="4" fill="{_colour(policy, rank)}"/>'
        yield f'<text class="soft small" x="{x + 14}" y="{y - 20}">{escape(sensitivity)}</text>'
        x += 14 + len(sensitivity) * 5.8 + 18
