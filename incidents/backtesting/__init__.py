"""Changed thresholds over the stored past: what would have been paged, when, beside what was."""
