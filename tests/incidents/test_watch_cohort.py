from incidents.watching.cohort import telling_attribute

OLD = {"tools": "1.9", "zone": "a", "provisioned": "2015"}
NEW = {"tools": "2.0", "zone": "a", "provisioned": "2016"}
FRESH = {"tools": "2.0", "zone": "b", "provisioned": "fresh"}


def test_the_attribute_with_the_fewest_values_tells_them_apart() -> None:
    assert telling_attribute([OLD, OLD], [NEW, NEW], [OLD, NEW, FRESH]) == {"tools": "1.9"}


def test_nothing_tells_when_a_skipped_host_is_alike() -> None:
    assert telling_attribute([OLD, OLD], [NEW, OLD], [OLD, NEW, FRESH]) == {}


def test_too_few_hosts_tell_nothing() -> None:
    assert telling_attribute([OLD], [NEW, NEW], [OLD, NEW]) == {}
