"""The numbers of a verdict, as pages say them."""

from collections.abc import Sequence

from django import template

from incidents.wording import times

register = template.Library()


@register.simple_tag
def ratio(value: float, interval: Sequence[float]) -> str:
    """A rate ratio with its interval, or only its lower bound where the controls hardly crashed at all."""
    low, high = (*interval, 0.0, 0.0)[:2]
    return times(value, (low, high))
