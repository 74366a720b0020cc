"""The demo: a lab fleet, the story of the overwritten image, and a responder where none is at hand."""
