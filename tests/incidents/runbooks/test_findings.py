"""A right digest alone proves nothing."""

from incidents.runbooks.actions.findings import verification_finding


def test_an_image_that_changed_after_its_dynos_started_is_damaged_whatever_its_digest() -> None:
    result = {
        "damaged": False,
        "changed_after_start_of": ["web.1"],
        "against": [],
        "in_favour": ["content is as recorded"],
    }
    assert verification_finding(result) == ("damaged", "The file changed after 1 dyno started on it.")


def test_what_reads_wrongly_is_damaged_and_says_why() -> None:
    result = {"damaged": True, "against": ["3 of 60 files differ through the mount", "kernel errors"]}
    assert verification_finding(result) == ("damaged", "3 of 60 files differ through the mount; kernel errors.")


def test_an_untouched_image_is_intact() -> None:
    result = {"damaged": False, "changed_after_start_of": [], "in_favour": ["untouched since its receipt was written"]}
    assert verification_finding(result) == ("intact", "Untouched since its receipt was written.")
