"""The record of an incident: written once, read in many forms."""
