"""What goes wrong with a store."""


class StoreError(Exception):
    """A store can't start; the message is one sentence for whoever sits at the keyboard."""


class PortTakenError(StoreError):
    """Another program has the port, or got it between our choosing it and the server's use."""
