"""Runs the whole of Faultline on one machine: `make run`, and the same services for the demo.

parts = embedded.start(var_dir, supervisor=supervisor)
migrate(supervisor, environment=parts.environment())
supervisor.spawn_together(services(var_dir, port=8000, environment=parts.environment(), ssh_key_file=None))
"""

from config.launch.services import check_port, migrate, port_in, services, web, workers

__all__ = ["check_port", "migrate", "port_in", "services", "web", "workers"]
