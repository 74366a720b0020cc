"""Every page, at both widths and in both themes: nothing for axe or the console to complain of, nothing too wide."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.journeys.browser import serving
from tests.journeys.gallery import look_at_everything


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_no_page_gives_cause_for_complaint(chromium: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        findings = look_at_everything(chromium, address)
    assert (findings.axe, findings.console, findings.too_wide) == ([], [], [])
    assert findings.pages > 25
