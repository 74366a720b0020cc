from fleet.ssh.breaker import Breaker
from fleet.ssh.limits import Limits

LIMITS = Limits(failures_to_open=3, backoff_seconds=1.0, backoff_most_seconds=10.0)


def most(_low: float, high: float) -> float:
    return high


def least(low: float, _high: float) -> float:
    return low


def test_it_opens_at_the_third_failure_and_stays_away_ever_longer() -> None:
    breaker, waits = Breaker(LIMITS, jitter=most), []
    for _ in range(8):
        breaker.failed(100.0, "no")
        waits.append(breaker.seconds_to_wait(100.0))
    assert waits == [0, 0, 1, 2, 4, 8, 10, 10]


def test_jitter_may_halve_the_wait() -> None:
    breaker = Breaker(LIMITS, jitter=least)
    for _ in range(3):
        breaker.failed(100.0, "no")
    assert breaker.seconds_to_wait(100.0) == 0.5


def test_time_lets_one_try_and_an_answer_forgives() -> None:
    breaker = Breaker(LIMITS, jitter=most)
    for _ in range(4):
        breaker.failed(100.0, "no")
    assert breaker.seconds_to_wait(101.9) > 0
    assert breaker.seconds_to_wait(102.0) == 0
    breaker.succeeded()
    breaker.failed(103.0, "no")
    assert breaker.seconds_to_wait(103.0) == 0


def test_thousands_of_failures_do_not_overflow() -> None:
    breaker = Breaker(LIMITS, jitter=most)
    for _ in range(5000):
        breaker.failed(0.0, "no")
    assert breaker.seconds_to_wait(0.0) == 10.0
