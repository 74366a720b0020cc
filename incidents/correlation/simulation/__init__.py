"""Seeded fleets with known truth, to measure the correlation with; pure, no part of the live product."""
