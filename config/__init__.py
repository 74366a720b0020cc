"""Puts the parts of Faultline together: settings, addresses, servers and queues."""
