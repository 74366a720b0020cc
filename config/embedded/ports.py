"""Free ports on the loopback interface, and who may have one."""

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        port: int = sock.getsockname()[1]
    return port


def is_free(port: int, *, address: str = LOOPBACK) -> bool:
    """Whether a server could listen there. Connections of an earlier one that linger do not count."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            return False
    return True


def answers(port: int, *, address: str = LOOPBACK) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
