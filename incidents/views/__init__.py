"""Pages of incidents and deploys."""
