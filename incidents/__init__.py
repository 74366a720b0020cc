"""What is going wrong, why, what to do about it, and the record of it."""
