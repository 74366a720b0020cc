"""Every threshold of the correlation, in one frozen place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Whatever is called bins here counts bins of `bin_seconds`; scores are log likelihoods (natural)."""

    bin_seconds: float = 60.0

    # Novelty: an app counts once per host in this time, and less on each further host.
    novelty_bins: int = 30
    most_a_moment: float = 3.0

    # Windows of the scan.
    look_backs: tuple[int, ...] = (3, 5, 10, 20, 40, 80, 160, 320)
    delays: tuple[int, ...] = (0, 5, 10, 20, 40, 80)
    ratios: tuple[float, ...] = (1.25, 1.5, 2.0, 3.0, 4.5, 6.5, 10.0, 15.0, 22.0, 33.0, 50.0, 80.0, 120.0)
    live_bins: int = 480  # a deploy is a suspect this long after it last touched a host
    delay_cost: float = 2.0  # a fault that begins late is rarer than one that begins at once
    lag_grace_bins: int = 10
    lag_cost_bins: float = 20.0
    most_values: int = 40  # an attribute with more values than this cannot name a cohort
    least_slice_hosts: int = 3

    # Expectation.
    prior_crashes: float = 20.0
    baseline_lag_bins: int = 60
    baseline_half_life_bins: float = 1440.0
    most_dispersion: float = 4.0
    least_history_bins: int = 30
    expectation_bins: int = 30  # how long an expectation is used before it is renewed

    # A deploy is paged from here on, and only if it survives the vetoes.
    page_score: float = 11.0
    suspect_score: float = 2.0
    least_hosts_hit: int = 3
    usual_margin: float = 3.0  # so much more is asked of crashes of the usual kinds, which unruly hours make too
    moment_score: float = 22.0  # from here on fatal signals of one moment are enough
    burst_bins: int = 3
    burst_share: float = 0.35
    steady_share: float = 0.8
    restart_fatal_share: float = 0.3  # of the dynos that a restart kills, no more than this end by a fatal signal
    fatal_score: float = 2.0  # so much likelier it must be that more of them did, to be no restarts
    fades_score: float = 3.0  # so much likelier the later rate must be another one than the first, to say that it fades
    lead_bins: int = 30
    lead_gap_bins: int = 2
    lead_score: float = 5.0
    rival_reach: float = 8.0
    rival_decides: float = 2.0
    rival_wait_bins: int = 8
    tie_score: float = 3.0
    tie_wait_bins: int = 10
    second_score: float = 4.0  # a second fault while one is open is rarer, and needs this much more
    blame_moves_score: float = 8.0
    explained_lead_bins: int = 10
    rolling_bins: int = 20  # a deploy that touched a host this lately may be touching others now
    stamp_bins: int = 3  # how late the stamp of a host may come
    late_stamp_bins: int = 12  # the same where the tool is known to stamp late
    cohort_gain: float = 3.0
    slice_cost: float = 2.0

    late_bins: int = 3  # what is known this long after it happened came late

    # Direct evidence: what a host said itself, worth this much for each host, at most in all.
    evidence_score: float = 1.5
    most_evidence_score: float = 4.5
    intact_score: float = 1.0  # and a host that crashes though its image was verified takes this much away

    # How sure: a score this high is as likely nothing; passed tests gain, others cost.
    nothing_score: float = 9.0
    pass_gain: float = 3.0
    wait_cost: float = 4.0
    refuse_cost: float = 8.0

    # Rivals.
    group_margin: float = 4.0
    host_windows: tuple[int, ...] = (10, 20, 30, 60)
    host_chance: float = 5e-9  # a day, of naming a sound host by all its crashes
    host_fatal_chance: float = 0.005  # the same by its fatal signals alone, which an unruly hour does not raise
    host_rest_chance: float = 1e-6
    host_least_apps: int = 3
    host_least_bins: int = 5
    host_wait_bins: int = 10
    host_rival_ratio: float = 3.0  # a deploy that made other hosts so much worse may explain a host
    group_wait_bins: int = 3
    fleet_bins: int = 5
    fleet_past_bins: int = 180
    fleet_ratio: float = 1.8
    fleet_wait_bins: int = 10
    fleet_uneven_bins: int = 20
    fleet_unevenness: float = 1.5
    app_hosts: int = 8
    app_share: float = 0.15

    # Pages and open verdicts.
    page_repeat_seconds: float = 6 * 3600.0
    quiet_bins: int = 60

    @property
    def window_bins(self) -> int:
        """The longest look-back."""
        return max(self.look_backs)

    @property
    def keep_bins(self) -> int:
        """How long events are kept at all."""
        return max(self.window_bins, self.live_bins) + self.lead_bins
