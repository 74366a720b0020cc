"""Times, states and sparklines as every page shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from fleet.wording import count

register = template.Library()
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
TONES = {
    "good": "succeeded done committed resolved healthy intact sent",
    "bad": "failed dead crashed lost stranded rejected overwrote major damaged against open",
    "warn": "tainted unknown draining paused minor not_started closed",
    "busy": "starting started stopping acknowledged mitigated ready enrolling",
}
TONE = {word: tone for tone, words in TONES.items() for word in words.split()}


@register.simple_tag
def moment(at: datetime | None, absent: str = "never") -> str:
    """A time as how long ago it was, with the exact one on hover."""
    if at is None:
        return absent
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        at.astimezone(UTC).isoformat(timespec="seconds"), exact(at), ago(at, timezone.now()),
    )  # fmt: skip


@register.simple_tag
def clock(at: datetime | None) -> str:
    """The time of day in UTC, with the date on hover."""
    if at is None:
        return ""
    at = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(timespec="seconds"), exact(at), f"{at:%H:%M:%S}"
    )


def exact(at: datetime) -> str:
    """The whole time in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that is not nought."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    size, unit = next((size, unit) for size, unit in UNITS if abs(seconds) >= size)
    words = f"{abs(seconds) // size:.0f} {unit}"
    return f"{words} ago" if seconds > 0 else f"in {words}"


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02} min"


@register.simple_tag
def state(word: object, label: str = "") -> str:
    """A state as a badge; its colour says whether it wants eyes."""
    value = str(word)
    shown = label or value.replace("_", " ")
    return format_html('<span class="state" data-tone="{}">{}</span>', TONE.get(value, "calm"), shown)


@register.simple_tag
def sparkline(counts: Sequence[int], width: int = 120, height: int = 22) -> SafeString:
    """Counts as bars; the words are for those who cannot see them."""
    top = max(4, *counts) if counts else 4
    step = width / max(1, len(counts))
    path = "".join(
        f"M{place * step + step / 2:.1f} {height}v-{max(1.5, height * crashes / top):.1f}"
        for place, crashes in enumerate(counts)
        if crashes
    )
    words = f"{count(sum(counts), 'crash', 'crashes')} in {count(len(counts), 'minute')}"
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}, at '
        'most {} in one"><path class="spark-base" d="M0 {}H{}"/><path d="{}" stroke-width="{}"/></svg>',
        width, height, width, height, words, max(counts, default=0), height - 0.5, width, path,
        f"{max(1.0, step - 0.6):.1f}",
    )  # fmt: skip


@register.filter
def reference_link(reference: str) -> str:
    """What a row belongs to ("incident:12"), as a link where there is a page of that name."""
    kind, _, number = reference.partition(":")
    try:
        href = reverse(kind, args=[int(number)])
    except (NoReverseMatch, ValueError):
        return reference
    return format_html('<a href="{}">{} {}</a>', href, kind, number)


@register.filter
def get(mapping: dict[str, object], key: str) -> object:
    """One value of a mapping."""
    return mapping.get(key, "")


@register.filter
def words(value: object) -> str:
    """A stored word as a person reads it."""
    return str(value).replace("_", " ")


@register.filter
def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f} %"
