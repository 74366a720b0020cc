"""The HTTP interface of incidents, and the whole of /api/v1/."""
