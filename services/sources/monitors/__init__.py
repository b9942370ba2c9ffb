"""Sources of monitoring data, one module a publisher, and what they have in common."""

from hazecast.services.store.monitors import stored_monitors
from hazecast.services.work.ingest.monitors import MonitorReport, SourceOutcome, ingest_live

__all__ = ["MonitorReport", "SourceOutcome", "ingest_live", "stored_monitors"]
