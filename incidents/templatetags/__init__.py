"""What only the pages of incidents need."""
