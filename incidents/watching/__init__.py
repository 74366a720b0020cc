"""The watch: from rows to the correlation, and from its verdicts to incidents."""
