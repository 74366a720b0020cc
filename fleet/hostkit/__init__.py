"""The program that runs on hosts: standard library only."""
