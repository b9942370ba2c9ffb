"""Sources of monitoring data, one module a publisher, and what they have in common."""

from services.sources.monitors.ingest import MonitorReport, SourceOutcome, ingest_live
from services.sources.monitors.stored import stored_monitors

__all__ = ["MonitorReport", "SourceOutcome", "ingest_live", "stored_monitors"]
