"""Postmortems: what is published after an incident."""
