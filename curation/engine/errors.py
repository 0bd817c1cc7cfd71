"""What can go wrong with an engine, as a person reads it."""


class EngineError(RuntimeError):
    """The workers cannot do the work; the message says why and what to do."""


class WorkersDied(EngineError):
    """Workers were killed again and again without a result between."""
